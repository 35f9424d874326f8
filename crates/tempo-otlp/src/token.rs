//! What a client of the dashboard shows where the dashboard is not limited to this machine.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderValue, Request, header};
use subtle::ConstantTimeEq as _;
use tempo_settings::{Flag, Secret};

/// The token of [`Dashboard`](crate::Dashboard).
pub const DASHBOARD_TOKEN: Flag = Flag::new(
    "dashboard-token",
    "TEXT",
    "What requests to --dashboard show [default: none on loopback, else one that is made and logged at start]",
);

/// The random bytes of a token that is made.
const BYTES: usize = 16;
/// A browser keeps it here, so that what the page loads shows it as well.
const COOKIE: &str = "tempo-dashboard";

/// A token, which requests show as `Authorization: Bearer`, in the query of the page's address, or in a cookie.
#[derive(Clone, Debug)]
pub struct Token {
    text: Secret,
    made: bool,
}

impl Token {
    /// A token that was given.
    pub fn given(text: Secret) -> Self {
        Self { text, made: false }
    }

    /// A token that is made here, and has to be announced.
    ///
    /// # Errors
    ///
    /// The system gives no random numbers.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes)?;
        let text = bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        Ok(Self { text: Secret::new(text), made: true })
    }

    /// The query of the page's address, if nothing else says the token.
    pub(crate) fn query(&self) -> String {
        if self.made { format!("/?token={}", self.text.reveal()) } else { String::new() }
    }

    /// Whether a request shows the token.
    pub(crate) fn is_shown<B>(&self, request: &Request<B>) -> bool {
        let headers = request.headers();
        let bearer = values(headers, &header::AUTHORIZATION).filter_map(|value| value.strip_prefix("Bearer "));
        let cookies = values(headers, &header::COOKIE).flat_map(|value| value.split(';'));
        let cookies = cookies.filter_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='));
        bearer.chain(cookies).any(|shown| self.is(shown)) || self.is_in_query(request)
    }

    /// The cookie for a browser whose request has the token in its query.
    pub(crate) fn cookie<B>(&self, request: &Request<B>) -> Option<HeaderValue> {
        let text = self.is_in_query(request).then(|| self.text.reveal())?;
        let mut cookie = HeaderValue::try_from(format!("{COOKIE}={text}; Path=/; HttpOnly; SameSite=Strict")).ok()?;
        cookie.set_sensitive(true);
        Some(cookie)
    }

    fn is_in_query<B>(&self, request: &Request<B>) -> bool {
        let pairs = request.uri().query().unwrap_or_default().split('&');
        pairs.filter_map(|pair| pair.strip_prefix("token=")).any(|shown| self.is(shown))
    }

    /// In a time that does not depend on how much of it is right.
    fn is(&self, shown: &str) -> bool {
        shown.as_bytes().ct_eq(self.text.reveal().as_bytes()).into()
    }
}

fn values<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_shows_the_token_in_three_ways() {
        let token = Token::given(Secret::new("s3cret"));
        let request = |uri: &str, name: &str, value: &str| {
            Request::builder().uri(uri).header(name, value).body(()).expect("a request")
        };
        for (uri, name, value, shown) in [
            ("/", "authorization", "Bearer s3cret", true),
            ("/", "authorization", "Bearer s3cre", false),
            ("/", "authorization", "Bearer s3cret2", false),
            ("/", "authorization", "Basic s3cret", false),
            ("/", "cookie", "a=b; tempo-dashboard=s3cret", true),
            ("/", "cookie", "tempo-dashboards3cret; other=s3cret", false),
            ("/?a=b&token=s3cret", "accept", "*/*", true),
            ("/?token=", "accept", "*/*", false),
            ("/", "accept", "*/*", false),
        ] {
            assert_eq!(token.is_shown(&request(uri, name, value)), shown, "{uri} {name}: {value}");
        }
        let cookie = token.cookie(&request("/?token=s3cret", "accept", "*/*")).expect("a cookie");
        assert!(cookie.to_str().expect("text").starts_with("tempo-dashboard=s3cret; "));
        assert!(token.cookie(&request("/", "cookie", "tempo-dashboard=s3cret")).is_none());
    }

    #[test]
    fn only_a_token_that_is_made_is_announced() {
        let (one, other) = (Token::random().expect("random"), Token::random().expect("random"));
        assert!(one.query() != other.query() && one.query().len() == "/?token=".len() + 2 * BYTES);
        assert_eq!(Token::given(Secret::new("s3cret")).query(), "");
    }
}
