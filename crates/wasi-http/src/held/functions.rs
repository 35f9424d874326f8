//! The functions of `wasi:http/types` that both versions have. A macro, as the generated types and traits of the versions differ
//! in their paths only.

/// Defines `fields` and `requests`, which replace the functions of the resources `fields` and `$request`. The module names the
/// version's types: `HostFields`, `Fields`, `Request`, `Method`, `Scheme`, `Store`, and its `header_result`.
macro_rules! replace_functions {
    ($request:literal) => {
        fn fields<T: Provide<WasiHttp>>(types: &mut LinkerInstance<'_, T>) -> wasmtime::Result<()> {
            type Pairs = Vec<(String, Vec<u8>)>;
            types.func_wrap("[static]fields.from-list", |mut store: Store<'_, T>, (pairs,): (Pairs,)| {
                let mut view = T::provide(store.data_mut());
                let bytes =
                    pairs.iter().map(|(name, value)| field_bytes(name, value.len())).fold(0, usize::saturating_add);
                let made = view.add(bytes, |http| HostFields::from_list(http, pairs));
                header_result(&mut view, made)
            })?;
            types.func_wrap(
                "[method]fields.append",
                |mut store: Store<'_, T>, (fields, name, value): (Fields, String, Vec<u8>)| {
                    let mut view = T::provide(store.data_mut());
                    let bytes = field_bytes(&name, value.len());
                    let changed =
                        view.change(fields, bytes, |http, fields| HostFields::append(http, fields, name, value));
                    header_result(&mut view, changed)
                },
            )?;
            types.func_wrap(
                "[method]fields.set",
                |mut store: Store<'_, T>, (fields, name, values): (Fields, String, Vec<Vec<u8>>)| {
                    let mut view = T::provide(store.data_mut());
                    let bytes =
                        values.iter().map(|value| field_bytes(&name, value.len())).fold(0, usize::saturating_add);
                    let changed =
                        view.change(fields, bytes, |http, fields| HostFields::set(http, fields, name, values));
                    header_result(&mut view, changed)
                },
            )?;
            types.func_wrap("[method]fields.delete", |mut store: Store<'_, T>, (fields, name): (Fields, String)| {
                let mut view = T::provide(store.data_mut());
                let changed = view.change(fields, 0, |http, fields| HostFields::delete(http, fields, name));
                header_result(&mut view, changed)
            })
        }

        fn requests<T: Provide<WasiHttp>>(types: &mut LinkerInstance<'_, T>) -> wasmtime::Result<()> {
            types.func_wrap(
                concat!("[method]", $request, ".set-method"),
                |mut store: Store<'_, T>, (request, method): (Request, Method)| {
                    let bytes = if let Method::Other(text) = &method { text.len() } else { 0 };
                    set(T::provide(store.data_mut()), bytes, |http| http.set_method(request, method))
                },
            )?;
            types.func_wrap(
                concat!("[method]", $request, ".set-path-with-query"),
                |mut store: Store<'_, T>, (request, path): (Request, Option<String>)| {
                    let bytes = path.as_ref().map_or(0, String::len);
                    set(T::provide(store.data_mut()), bytes, |http| http.set_path_with_query(request, path))
                },
            )?;
            types.func_wrap(
                concat!("[method]", $request, ".set-scheme"),
                |mut store: Store<'_, T>, (request, scheme): (Request, Option<Scheme>)| {
                    let bytes = if let Some(Scheme::Other(text)) = &scheme { text.len() } else { 0 };
                    set(T::provide(store.data_mut()), bytes, |http| http.set_scheme(request, scheme))
                },
            )?;
            types.func_wrap(
                concat!("[method]", $request, ".set-authority"),
                |mut store: Store<'_, T>, (request, authority): (Request, Option<String>)| {
                    let bytes = authority.as_ref().map_or(0, String::len);
                    set(T::provide(store.data_mut()), bytes, |http| http.set_authority(request, authority))
                },
            )
        }
    };
}

pub(super) use replace_functions;
