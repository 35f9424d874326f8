//! The access token of the dashboard, for addresses beyond loopback.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderValue, Request, header};
use subtle::ConstantTimeEq as _;
use tempo_settings::{Flag, Secret};

/// The token of [`Dashboard`](crate::Dashboard).
pub const DASHBOARD_TOKEN: Flag = Flag::new(
    "dashboard-token",
    "TEXT",
    "Token that requests to --dashboard carry [default: none on loopback, else generated and logged at start]",
)
.of_process();

/// Length of a generated token, in random bytes.
const TOKEN_BYTES: usize = 16;
/// The cookie in which browsers keep the token for subsequent requests.
const COOKIE_NAME: &str = "tempo-dashboard";

/// A token. Requests carry it as `Authorization: Bearer`, in the query, or in a cookie.
#[derive(Clone, Debug)]
pub struct Token {
    text: Secret,
    generated: bool,
}

impl Token {
    /// Creates a token from a given text.
    pub fn given(text: Secret) -> Self {
        Self { text, generated: false }
    }

    /// Generates a token, which has to be announced.
    ///
    /// # Errors
    ///
    /// The system provides no random numbers.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; TOKEN_BYTES];
        getrandom::fill(&mut bytes)?;
        let text = bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        Ok(Self { text: Secret::new(text), generated: true })
    }

    /// Returns the query of the page's URL, if the token was generated.
    pub(crate) fn query(&self) -> String {
        if self.generated { format!("/?token={}", self.text.reveal()) } else { String::new() }
    }

    /// Returns whether a request carries the token.
    pub(crate) fn authorizes<B>(&self, request: &Request<B>) -> bool {
        let headers = request.headers();
        let bearer = values(headers, &header::AUTHORIZATION).filter_map(|value| value.strip_prefix("Bearer "));
        let cookies = values(headers, &header::COOKIE).flat_map(|value| value.split(';'));
        let cookies = cookies.filter_map(|pair| pair.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('='));
        bearer.chain(cookies).any(|presented| self.matches(presented)) || self.is_in_query(request)
    }

    /// Returns the cookie for a browser whose request has the token in its query.
    pub(crate) fn cookie<B>(&self, request: &Request<B>) -> Option<HeaderValue> {
        let text = self.is_in_query(request).then(|| self.text.reveal())?;
        let mut cookie =
            HeaderValue::try_from(format!("{COOKIE_NAME}={text}; Path=/; HttpOnly; SameSite=Strict")).ok()?;
        cookie.set_sensitive(true);
        Some(cookie)
    }

    fn is_in_query<B>(&self, request: &Request<B>) -> bool {
        let pairs = request.uri().query().unwrap_or_default().split('&');
        pairs.filter_map(|pair| pair.strip_prefix("token=")).any(|presented| self.matches(presented))
    }

    /// Compares in constant time.
    fn matches(&self, presented: &str) -> bool {
        presented.as_bytes().ct_eq(self.text.reveal().as_bytes()).into()
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
        for (uri, name, value, presented) in [
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
            assert_eq!(token.authorizes(&request(uri, name, value)), presented, "{uri} {name}: {value}");
        }
        let cookie = token.cookie(&request("/?token=s3cret", "accept", "*/*")).expect("a cookie");
        assert!(cookie.to_str().expect("text").starts_with("tempo-dashboard=s3cret; "));
        assert!(token.cookie(&request("/", "cookie", "tempo-dashboard=s3cret")).is_none());
    }

    #[test]
    fn only_a_token_that_is_made_is_announced() {
        let (one, other) = (Token::random().expect("random"), Token::random().expect("random"));
        assert!(one.query() != other.query() && one.query().len() == "/?token=".len() + 2 * TOKEN_BYTES);
        assert_eq!(Token::given(Secret::new("s3cret")).query(), "");
    }
}
