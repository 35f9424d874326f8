//! Parses `nats://[USER:PASSWORD@|TOKEN@]HOST[:PORT][,HOST[:PORT]...]/NAME`. For a broker the name is optional, and
//! `?subjects=FILTER,FILTER` may follow it.

use std::fmt;

use async_nats::{Client, ServerAddr};
use percent_encoding::percent_decode_str;
#[cfg(feature = "messaging")]
use tempo_messaging::topic;
use tempo_settings::{BackendUrl, Error, ErrorKind, Secret};

/// The user in the URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum User {
    Token(Secret),
    Password(String, Secret),
}

/// A parsed URL. `Debug` omits the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Servers of one cluster, each a host with or without a port.
    pub(crate) hosts: Vec<String>,
    /// True if the scheme is `tls`: the connection must be encrypted.
    pub(crate) tls: bool,
    pub(crate) user: Option<User>,
    /// The name of the bucket or stream. Only a broker's URL may omit it.
    pub(crate) name: String,
}

impl Address {
    /// Parses a URL with the scheme `nats` or `tls`.
    #[cfg(any(feature = "blobstore", feature = "keyvalue"))]
    pub(crate) fn parse(url: &BackendUrl) -> Result<Self, Error> {
        let address = Self::parse_text(url, url.reveal())?;
        if address.name.is_empty() { Err(wrong(url, NAME)) } else { Ok(address) }
    }

    /// Parses the URL of a broker, and returns the subjects of a new stream too.
    #[cfg(feature = "messaging")]
    pub(crate) fn parse_broker(url: &BackendUrl) -> Result<(Self, Vec<String>), Error> {
        let (text, query) = match url.reveal().split_once("?subjects=") {
            Some((text, query)) => (text, Some(query)),
            None => (url.reveal(), None),
        };
        let subjects: Vec<String> = query.into_iter().flat_map(|query| query.split(',')).map(str::to_owned).collect();
        if subjects.iter().any(|subject| subject.contains('@') || topic::check_filter(subject).is_err()) {
            return Err(wrong(url, "after ?subjects= come subjects, such as orders.>,billing.*"));
        }
        let address = Self::parse_text(url, text)?;
        if address.name.is_empty() && !subjects.is_empty() {
            return Err(wrong(url, "subjects need a stream, whose name stands before them"));
        }
        Ok((address, subjects))
    }

    fn parse_text(url: &BackendUrl, text: &str) -> Result<Self, Error> {
        let wrong = |problem: &str| wrong(url, problem);
        let rest = text.strip_prefix("//").ok_or_else(|| wrong("there is no host"))?;
        if rest.contains(['?', '#']) {
            return Err(wrong("nothing may follow the name, and ? and # in a password are written %3F and %23"));
        }
        let (authority, name) = rest.split_once('/').unwrap_or((rest, ""));
        if name.contains('@') {
            return Err(wrong("in a password, / is written %2F"));
        }
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (Some(parse_user(user).ok_or_else(|| wrong("the user cannot be read"))?), hosts),
            None => (None, authority),
        };
        let hosts: Vec<String> = hosts.split(',').map(str::to_owned).collect();
        if !hosts.iter().all(|host| is_host(host)) {
            return Err(wrong("the host cannot be read"));
        }
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
            return Err(wrong(NAME));
        }
        Ok(Self { hosts, tls: url.scheme() == "tls", user, name: name.to_owned() })
    }

    /// Names the bucket or stream `name` on the server that `client` is connected to.
    pub(crate) fn of_client(client: &Client, name: &str) -> Result<Self, Error> {
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
            return Err(Error::new(ErrorKind::BadConfiguration, format!("`{name}`: {NAME}")));
        }
        let server = client.server_info();
        let hosts = vec![format!("{}:{}", server.host, server.port)];
        Ok(Self { hosts, tls: server.tls_required, user: None, name: name.to_owned() })
    }

    /// Returns the servers in the client's form, without the user, because the client logs them.
    pub(crate) fn servers(&self) -> Vec<ServerAddr> {
        let scheme = self.scheme();
        self.hosts.iter().filter_map(|host| format!("{scheme}://{host}").parse().ok()).collect()
    }

    /// Returns the servers for messages.
    pub(crate) fn server(&self) -> String {
        format!("{}://{}", self.scheme(), self.hosts.join(","))
    }

    fn scheme(&self) -> &'static str {
        if self.tls { "tls" } else { "nats" }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.name {
            "" => f.write_str(&self.server()),
            name => write!(f, "{}/{name}", self.server()),
        }
    }
}

/// The problem of most invalid names.
const NAME: &str = "the name is made of letters, digits, - and _";

fn wrong(url: &BackendUrl, problem: &str) -> Error {
    let example = "such as nats://localhost:4222/NAME";
    Error::new(ErrorKind::BadConfiguration, format!("{}: {problem}; expected a URL {example}", shown(url)))
}

/// Returns the prefix of an invalid URL that cannot contain a part of a malformed password.
fn shown(url: &BackendUrl) -> String {
    match url.reveal().rsplit_once('@') {
        Some((_, after)) => format!("{}://{}", url.scheme(), after.split(['?', '#']).next().unwrap_or_default()),
        None => url.to_string(),
    }
}

fn parse_user(text: &str) -> Option<User> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8().ok().map(|text| text.into_owned());
    let user = match text.split_once(':') {
        Some((user, password)) => User::Password(decode(user)?, Secret::new(decode(password)?)),
        None => User::Token(Secret::new(decode(text)?)),
    };
    (!text.is_empty()).then_some(user)
}

fn is_host(text: &str) -> bool {
    let plain = !text.is_empty() && !text.contains(['@', ' ']);
    plain && format!("nats://{text}").parse::<ServerAddr>().is_ok_and(|server| !server.host().is_empty())
}

#[cfg(test)]
mod tests {
    use tempo_settings::FlagValue as _;

    use super::*;

    fn parse(text: &str) -> Result<Address, Error> {
        Address::parse(&BackendUrl::parse(text).unwrap())
    }

    #[test]
    fn every_part() {
        let address = parse("nats://ann:p%2Fw%40@a:1,b,[::1]:3/Bucket_1").unwrap();
        assert_eq!(address.hosts, ["a:1", "b", "[::1]:3"]);
        assert_eq!(address.user, Some(User::Password("ann".into(), Secret::new("p/w@"))));
        assert_eq!(address.name, "Bucket_1");
        let ports: Vec<_> = address.servers().iter().map(|server| server.port()).collect();
        assert_eq!(ports, [1, 4222, 3]);
        assert_eq!(address.to_string(), "nats://a:1,b,[::1]:3/Bucket_1");
        assert!(!address.servers().iter().any(ServerAddr::has_user_pass));
        assert!(!format!("{address:?}").contains("p/w"));
    }

    #[test]
    fn schemes_and_tokens() {
        let address = parse("tls://s3cret@h/b").unwrap();
        assert_eq!(address.user, Some(User::Token(Secret::new("s3cret"))));
        assert!(address.servers().iter().all(ServerAddr::tls_required));
        assert_eq!(address.server(), "tls://h");
        assert!(!parse("nats://h/b").unwrap().tls);
    }

    #[test]
    fn brokers_with_and_without_a_stream() {
        let parse = |text| Address::parse_broker(&BackendUrl::parse(text).unwrap());
        let (address, subjects) = parse("nats://h/ORDERS?subjects=orders.>,billing.*").unwrap();
        assert_eq!((&*address.name, subjects), ("ORDERS", vec!["orders.>".to_owned(), "billing.*".to_owned()]));
        for text in ["nats://h", "nats://h/"] {
            let (address, subjects) = parse(text).unwrap();
            assert_eq!((address.to_string(), subjects), ("nats://h".to_owned(), Vec::new()));
        }
        for text in [
            "nats://h?subjects=a",
            "nats://h/S?subjects=",
            "nats://h/S?subjects=a b",
            "nats://h/S?s3cret",
            "nats://h/S/T",
            "nats://u:s3cret?subjects=a@h/S",
        ] {
            let said = parse(text).expect_err(text).to_string();
            assert!(said.starts_with("nats:") && !said.contains("s3cret"), "{said}");
        }
    }

    #[test]
    fn mistakes_are_told_without_the_secret() {
        let wrong = [
            "nats:b",
            "nats://h",
            "nats://h/",
            "nats:///b",
            "nats://h/a.b",
            "nats://h/a/b",
            "nats://h,/b",
            "nats://h/ä",
            "nats://h:x/b",
            "nats://u:s3cret@h",
            "nats://u:s3cret/x@h/b",
            "nats://u:s3?cret@h/b",
            "nats://@h/b",
            "nats://h/b?s3cret",
            "nats://u:s3cret#@h/b",
            "nats://u:s3cret@h,v:s3cret@i/b b",
        ];
        for text in wrong {
            let error = parse(text).expect_err(text);
            assert_eq!(error.kind(), ErrorKind::BadConfiguration, "{text}");
            assert!(!error.to_string().contains("s3"), "{error}");
            assert!(error.to_string().starts_with("nats:"), "{error}");
        }
    }
}
