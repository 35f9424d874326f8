//! Components create containers of their own, and reach no others.

use tempo_blobstore::Memory;

use super::*;

fn base() -> Arc<dyn Container> {
    Arc::new(Memory::default())
}

fn of(base: &Arc<dyn Container>, app: Option<&str>, component: &str, max: usize) -> OwnContainers {
    OwnContainers::new(base.clone(), app, component, max).unwrap()
}

async fn put(container: &dyn Container, name: &str) -> Result<()> {
    container.put(name, PutOptions::default()).await?.complete().await.map(drop)
}

async fn names(container: &dyn Container) -> Vec<String> {
    container.list("", None, 1000).await.unwrap().into_iter().map(|entry| entry.name).collect()
}

/// Names that would be paths, patterns or other containers.
const NAMES: &[&str] =
    &["a", "A", ".", "..", "../a", "a/b", "a/", "/a", "a/../b", "%2F", "*", "objects", "a.b", "\0", "ä"];

#[tokio::test]
async fn no_name_reaches_another_container() {
    let base = base();
    // One component is named after what a component of an app might be called.
    let owners = [of(&base, None, "shop.web", 64), of(&base, Some("shop"), "web", 64), of(&base, None, "shop", 64)];
    for (number, owner) in owners.iter().enumerate() {
        for name in NAMES {
            assert!(owner.open(name).await.unwrap().is_none(), "{name:?} of {number} exists");
            let container = owner.create(name).await.unwrap();
            put(&*container, &format!("{number} {name}")).await.unwrap();
        }
    }
    for (number, owner) in owners.iter().enumerate() {
        for name in NAMES {
            let container = owner.open(name).await.unwrap().unwrap();
            assert_eq!(names(&*container).await, [format!("{number} {name}")]);
            assert!(container.stat(&format!("../{name}/{number} {name}")).await.unwrap().is_none());
        }
    }
    for name in NAMES {
        assert!(owners[0].delete(name).await.unwrap());
        assert!(owners[0].open(name).await.unwrap().is_none());
        assert!(!owners[0].delete(name).await.unwrap(), "it is deleted twice");
        assert_eq!(names(&*owners[1].open(name).await.unwrap().unwrap()).await.len(), 1, "{name:?}");
    }
    assert!(base.list("shop%2Eweb/", None, 1).await.unwrap().is_empty(), "a deleted container leaves objects");
}

#[tokio::test]
async fn containers_at_the_maximum() {
    let base = base();
    let (own, other) = (of(&base, None, "a", 2), of(&base, None, "b", 2));
    let kind = async |name: &str| own.create(name).await.map(drop).map_err(|error| error.kind());
    assert_eq!(kind("1").await, Ok(()));
    assert_eq!(kind("2").await, Ok(()));
    assert_eq!(kind("3").await, Err(ErrorKind::QuotaExceeded));
    assert!(own.open("3").await.unwrap().is_none());
    assert_eq!(kind("2").await, Ok(()), "one that exists is opened");
    other.create("3").await.unwrap();
    own.delete("1").await.unwrap();
    let created = futures::future::join_all((4..20).map(|number| {
        let own = own.clone();
        async move { own.create(&number.to_string()).await.is_ok() }
    }));
    assert_eq!(created.await.into_iter().filter(|created| *created).count(), 1);
}

#[tokio::test]
async fn names_at_the_edge() {
    let own = of(&base(), None, "a", 9);
    let kind = async |name: String| own.create(&name).await.map(drop).map_err(|error| error.kind());
    assert_eq!(kind("x".repeat(MAX_ENCODED_BYTES)).await, Ok(()));
    assert_eq!(kind("x".repeat(MAX_ENCODED_BYTES + 1)).await, Err(ErrorKind::InvalidArgument));
    assert_eq!(kind("/".repeat(MAX_ENCODED_BYTES / 3)).await, Ok(()));
    assert_eq!(kind("/".repeat(MAX_ENCODED_BYTES / 3 + 1)).await, Err(ErrorKind::InvalidArgument));
    assert_eq!(kind(String::new()).await, Err(ErrorKind::InvalidArgument));
    assert!(own.open("").await.unwrap().is_none());
    let container = own.create("c").await.unwrap();
    let most = MAX_NAME - "a/objects/c/".len();
    put(&*container, &"n".repeat(most)).await.unwrap();
    assert_eq!(put(&*container, &"n".repeat(most + 1)).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert!(OwnContainers::new(base(), None, &"x".repeat(2000), 1).is_err());
}

#[tokio::test]
async fn a_handle_of_a_deleted_container_writes_nothing() {
    let own = of(&base(), None, "a", 9);
    let container = own.create("c").await.unwrap();
    put(&*container, "n").await.unwrap();
    assert_eq!(container.copy("n", "m").await.unwrap().name, "m");
    own.delete("c").await.unwrap();
    assert_eq!(put(&*container, "n").await.unwrap_err().kind(), ErrorKind::NoSuchContainer);
    assert_eq!(container.copy("n", "m").await.unwrap_err().kind(), ErrorKind::NoSuchContainer);
    assert!(names(&*own.create("c").await.unwrap()).await.is_empty());
}
