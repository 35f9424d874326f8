//! Grants of environment variables, directories and sockets to a guest. It has none by default.

use std::path::PathBuf;
use std::sync::Arc;

use tempo_core::{Acceptor, Limits, LogBudget, StoreContext, WasiTlsCtx};
use tempo_settings::{Disclosure, Error, ErrorKind, Flag, FlagValue, KeyValue, Settings, ValueForm};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder};

use crate::guest_output::{GuestOutput, OutputStreamKind};
use crate::own_files::{ALLOW_OWN_FILES, OwnFiles};
use crate::sockets::{self, SocketGrants, StoreSockets};
use crate::tls::{self, Authorities, StoreTls};

const ENV: Flag = Flag::new("env", "KEY=VALUE", "An environment variable for the guest")
    .repeatable()
    .form(ValueForm::KeyValue)
    .of::<KeyValue>()
    .grants(Disclosure::Name);
const DIR: Flag = Flag::new("dir", "HOST::GUEST[:rw]", "A directory for the guest, read-only unless it ends in :rw")
    .repeatable()
    .form(ValueForm::Directory)
    .of::<Directory>()
    .grants(Disclosure::Whole);
/// The flags of grants, without those of sockets and TLS.
const OWN_FLAGS: [Flag; 3] = [ENV, DIR, ALLOW_OWN_FILES];

/// Returns the flags of grants.
pub(crate) fn flags() -> impl Iterator<Item = Flag> {
    OWN_FLAGS.iter().chain(sockets::FLAGS).chain(&[tls::FLAG]).copied()
}

/// Returns the flags that grant the interface `path` of the WASI package `package`, both without versions.
pub(crate) fn of_interface(path: &str, package: &str) -> impl Iterator<Item = &'static Flag> {
    let flags: &'static [Flag] = match (package, path) {
        (_, "wasi:cli/environment") => &[ENV],
        ("wasi:filesystem", _) => &[DIR],
        ("wasi:sockets" | "wasi:tls", _) => sockets::FLAGS,
        _ => &[],
    };
    flags.iter()
}

/// The grants of a component, from which the WASI context of each store is built.
pub(crate) struct Grants {
    env: Vec<(String, String)>,
    directories: Vec<Directory>,
    sockets: Arc<SocketGrants>,
    /// The trusted authorities, if the component imports `wasi:tls`.
    authorities: Option<Authorities>,
    io: Io,
    max_random: u64,
}

/// The standard streams and arguments of a guest.
pub(crate) enum Io {
    /// Output goes to the log: the component serves.
    Log {
        /// The component's name.
        component: Arc<str>,
        /// The rate limit of all its instances.
        budget: Arc<LogBudget>,
    },
    /// The standard streams of the process: the component is a command with these arguments.
    Process(Vec<String>),
}

impl Grants {
    /// Parses the grants.
    ///
    /// # Errors
    ///
    /// A value cannot be parsed, or a directory does not exist or contains files that a guest must not write.
    pub(crate) fn from_settings(
        settings: &Settings,
        limits: &Limits,
        io: Io,
        own_files: &OwnFiles<'_>,
    ) -> Result<Self, Error> {
        let env = settings.all::<KeyValue>(&ENV)?.into_iter().map(|pair| (pair.key, pair.value)).collect();
        let directories = settings.all::<Directory>(&DIR)?;
        if let Some(error) = Self::mistakes(settings, Some(own_files)).into_iter().next() {
            return Err(error);
        }
        let component = match &io {
            Io::Log { component, .. } => Some(component.clone()),
            Io::Process(_) => None,
        };
        let sockets = Arc::new(SocketGrants::from_settings(settings)?.of_component(component));
        Ok(Self { env, directories, sockets, authorities: None, io, max_random: limits.random_bytes as u64 })
    }

    /// Finds mistakes of the granted directories; whether they contain `own_files` only if those are known.
    pub(crate) fn mistakes(settings: &Settings, own_files: Option<&OwnFiles<'_>>) -> Vec<Error> {
        let values = settings.raw_values(&DIR).iter();
        let directories: Vec<_> = values.filter_map(|value| Some((value, Directory::parse(&value.text)?))).collect();
        let allowed = settings.require(&ALLOW_OWN_FILES);
        let mistakes = directories.iter().enumerate().filter_map(|(index, (value, directory))| {
            if directories.iter().take(index).any(|(_, other)| other.guest == directory.guest) {
                return Some(value.invalid(&DIR, "a path of the guest is given twice"));
            }
            if !directory.host.is_dir() {
                let message = format!("--dir: {} is not a directory", directory.host.display());
                return Some(Error::new(ErrorKind::NotFound, message));
            }
            let (own_files, allowed) = (own_files?, *allowed.as_ref().ok()?);
            own_files.check(&directory.host, directory.permissions == FsPerms::ReadWrite, allowed).err()
        });
        mistakes.chain(allowed.as_ref().err().cloned()).collect()
    }

    /// Trusts these authorities in `wasi:tls`.
    pub(crate) fn with_authorities(mut self, authorities: Authorities) -> Self {
        self.authorities = Some(authorities);
        self
    }

    /// Returns the context of `wasi:tls` of `store`, if the component imports it.
    pub(crate) fn tls(&self, store: &StoreContext) -> Option<WasiTlsCtx> {
        let authorities = self.authorities.clone()?;
        Some(StoreTls::context(self.sockets.clone(), authorities, store.bytes.clone()))
    }

    /// Creates the sockets' state of a new store.
    pub(crate) fn sockets(&self, acceptor: Acceptor) -> Arc<StoreSockets> {
        StoreSockets::new(self.sockets.clone(), acceptor)
    }

    /// Builds the WASI context of `store`.
    ///
    /// # Errors
    ///
    /// A granted directory no longer exists.
    pub(crate) fn context(&self, store: &StoreContext, sockets: &Arc<StoreSockets>) -> wasmtime::Result<WasiCtx> {
        let mut wasi = WasiCtxBuilder::new();
        wasi.max_random_size(self.max_random).envs(&self.env);
        for directory in &self.directories {
            wasi.preopened_dir(&directory.host, &directory.guest, directory.permissions)?;
        }
        sockets.allow_tcp(&mut wasi);
        match &self.io {
            Io::Log { component, budget } => {
                let output = |stream| GuestOutput::new(component.clone(), stream, budget.clone(), store);
                wasi.stdout(output(OutputStreamKind::Stdout)).stderr(output(OutputStreamKind::Stderr));
            }
            Io::Process(arguments) => {
                wasi.inherit_stdio().args(arguments);
            }
        }
        Ok(wasi.build())
    }
}

/// `HOST::GUEST[:rw]`.
#[derive(Debug, PartialEq)]
struct Directory {
    host: PathBuf,
    guest: String,
    permissions: FsPerms,
}

impl FlagValue for Directory {
    const EXPECTED: &'static str = "HOST::GUEST, HOST::GUEST:ro or HOST::GUEST:rw";

    fn parse(text: &str) -> Option<Self> {
        let (host, guest) = text.split_once("::")?;
        // A guest's path has no colon, so that a misspelt mode is an error and not a part of the path.
        let (guest, permissions) = match guest.split_once(':') {
            Some((guest, "rw")) => (guest, FsPerms::ReadWrite),
            Some((guest, "ro")) => (guest, FsPerms::ReadOnly),
            None => (guest, FsPerms::ReadOnly),
            Some(_) => return None,
        };
        let complete = !host.is_empty() && !guest.is_empty();
        complete.then(|| Self { host: host.into(), guest: normalized(guest), permissions })
    }
}

/// Returns the path without empty and `.` components.
fn normalized(guest: &str) -> String {
    let components: Vec<_> = guest.split('/').filter(|component| !matches!(*component, "" | ".")).collect();
    match (guest.starts_with('/'), components.join("/")) {
        (true, path) => format!("/{path}"),
        (false, path) if path.is_empty() => ".".to_owned(),
        (false, path) => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories() {
        let read_only = Directory::parse("./data::/data").unwrap();
        assert_eq!((read_only.guest.as_str(), read_only.permissions), ("/data", FsPerms::ReadOnly));
        assert_eq!(Directory::parse("a::/b:rw").unwrap().permissions, FsPerms::ReadWrite);
        let mode = |text| Directory::parse(text).map(|directory| (directory.guest, directory.permissions));
        assert_eq!(mode("d::/d:ro"), Some(("/d".to_owned(), FsPerms::ReadOnly)));
        for (given, guest) in [("/d/", "/d"), ("//d/./e", "/d/e"), ("/", "/"), ("d/", "d"), (".", "."), ("./", ".")] {
            assert_eq!(Directory::parse(&format!("d::{given}")).unwrap().guest, guest, "{given}");
        }
        for bad in ["a", "a:/b", "::b", "a::", "a:::rw", "a:::ro", "a::/b:wr", "a::/b:", "a::/b:ro:rw", "a::/b:RO"] {
            assert_eq!(Directory::parse(bad), None, "{bad}");
        }
    }
}
