//! Log-in with a credentials file: an operator signs an account, the account signs a user.

use nkeys::KeyPair;
use tempo_keyvalue::Condition;
use tempo_settings::ErrorKind;

use crate::support::{Server, eventually, open_with, refusal};

const UNLIMITED: &str = r#""subs":-1,"data":-1,"payload":-1"#;

/// What `issuer` says of `subject`, as NATS writes it.
fn token(issuer: &KeyPair, subject: &KeyPair, claims: &str) -> String {
    let (issuer_key, key) = (issuer.public_key(), subject.public_key());
    let claims = format!(
        r#"{{"jti":"TEST","iat":1700000000,"iss":"{issuer_key}","name":"test","sub":"{key}","nats":{{{claims},"version":2}}}}"#
    );
    let signed = format!("{}.{}", base64(br#"{"typ":"JWT","alg":"ed25519-nkey"}"#), base64(claims.as_bytes()));
    let signature = issuer.sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", base64(&signature))
}

/// For URLs, without padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let encode = |chunk: &[u8]| {
        let group = chunk.iter().chain(&[0, 0]).take(3).fold(0, |group, byte| group << 8 | usize::from(*byte));
        let digits = [18, 12, 6, 0].map(|shift| char::from(DIGITS[group >> shift & 63]));
        digits.into_iter().take(chunk.len() + 1).collect::<String>()
    };
    bytes.chunks(3).map(encode).collect()
}

fn credentials(account: &KeyPair, user: &KeyPair) -> String {
    let token = token(account, user, &format!(r#""pub":{{}},"sub":{{}},{UNLIMITED},"type":"user""#));
    let seed = user.seed().unwrap();
    format!(
        "-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )
}

/// An operator, and an account whose users may do all.
struct Issuer {
    operator: KeyPair,
    system: KeyPair,
    account: KeyPair,
}

impl Issuer {
    fn new() -> Self {
        let (operator, system) = (KeyPair::new_operator(), KeyPair::new_account());
        Self { operator, system, account: KeyPair::new_account() }
    }

    /// The configuration of a server that takes the account's users, but not the `revoked` ones.
    fn configuration(&self, revoked: &[&KeyPair]) -> String {
        let Self { operator, system, account } = self;
        let of_system = token(operator, system, r#""limits":{},"type":"account""#);
        let storage = r#""mem_storage":-1,"disk_storage":-1,"streams":-1,"consumer":-1"#;
        let limits = format!(r#"{UNLIMITED},"imports":-1,"exports":-1,"wildcards":true,"conn":-1,"leaf":-1,{storage}"#);
        let revoked: Vec<String> =
            revoked.iter().map(|user| format!(r#""{}":2000000000"#, user.public_key())).collect();
        let claims = format!(r#""limits":{{{limits}}},"revocations":{{{}}},"type":"account""#, revoked.join(","));
        let of_account = token(operator, account, &claims);
        format!(
            "jetstream {{}}, operator: {}, system_account: {}, resolver: MEMORY, resolver_preload: {{ {}: {}, {}: {} }}",
            token(operator, operator, r#""type":"operator""#),
            system.public_key(),
            system.public_key(),
            of_system,
            account.public_key(),
            of_account,
        )
    }
}

#[tokio::test]
async fn a_user_whom_an_account_has_signed() {
    let (issuer, user) = (Issuer::new(), KeyPair::new_user());
    let server = Server::with(&issuer.configuration(&[]));
    let file = server.file("user.creds", &credentials(&issuer.account, &user));
    let store = open_with(&server.url("b"), &[("nats-creds", &file)]).await.unwrap();
    store.set("k", "v".into(), None, Condition::Always).await.unwrap();
    assert_eq!(store.get("k").await.unwrap().unwrap().value, "v");

    let stranger = server.file("stranger.creds", &credentials(&KeyPair::new_account(), &user));
    let error = refusal(&server.url("b"), &[("nats-creds", &stranger)]).await;
    assert_eq!(error.kind(), ErrorKind::BadConfiguration, "{error}");
    let seed = user.seed().unwrap();
    assert!(!error.to_string().contains(&seed), "{error}");
}

#[tokio::test]
async fn renewed_credentials_are_read_when_the_connection_comes_back() {
    let (issuer, first, second) = (Issuer::new(), KeyPair::new_user(), KeyPair::new_user());
    let mut server = Server::with(&issuer.configuration(&[]));
    let file = server.file("user.creds", &credentials(&issuer.account, &first));
    let store = open_with(&server.url("b"), &[("nats-creds", &file)]).await.unwrap();
    store.set("k", "v".into(), None, Condition::Always).await.unwrap();
    let renewed = credentials(&issuer.account, &second);
    // Half of a file changes nothing: who was let in before still is.
    server.file("user.creds", &renewed[..renewed.len() / 2]);
    server.stop();
    server.restart();
    let get = || async { store.get("k").await.ok() };
    assert_eq!(eventually("the old user", get).await.unwrap().value, "v");
    server.file("user.creds", &renewed);
    server.stop();
    server.restart_with(&issuer.configuration(&[&first]));
    assert_eq!(eventually("the new user", get).await.unwrap().value, "v");
}
