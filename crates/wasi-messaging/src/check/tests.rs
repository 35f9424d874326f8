//! What is refused, and what is not: at the edges, and what would break out of a header.

use tempo_core::Limits;

use super::*;

fn limits() -> MessagingLimits {
    MessagingLimits::new(&Limits::default())
}

fn with(headers: &[(&str, &str)]) -> Message {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Message::default().with_topic("t").with_headers(headers)
}

/// What is wrong with a message, if anything.
fn kind(mut message: Message) -> Option<ErrorKind> {
    super::message(&limits(), &mut message).err().map(|error| error.kind())
}

const INVALID: Option<ErrorKind> = Some(ErrorKind::InvalidArgument);
const TOO_LARGE: Option<ErrorKind> = Some(ErrorKind::TooLarge);

/// What ends a line of a protocol, or hides in one.
const BREAKERS: [&str; 7] = ["a\r\nSUB > 1\r\n", "a\nb", "a\rb", "a\0b", "a\u{7f}b", "a\u{85}b", "a\tb"];

#[test]
fn topics_are_words_and_not_the_servers_own() {
    let topic = |topic: &str| kind(Message::default().with_topic(topic));
    let reply_to = |topic: &str| kind(with(&[]).with_reply_to(topic.to_owned()));
    for place in [&topic as &dyn Fn(&str) -> Option<ErrorKind>, &reply_to] {
        for allowed in ["a", "orders.created", "ü.🔑", "_INBOX.x.1", "a$", "a.$b", &"a".repeat(254), &"a".repeat(255)]
        {
            assert_eq!(place(allowed), None, "{allowed}");
        }
        for bad in ["", ".", "a.", ".a", "a..b", "*", "a.*", ">", "a b", &"a".repeat(256)].iter().chain(&BREAKERS) {
            assert_eq!(place(bad), INVALID, "{bad:?}");
        }
        for reserved in ["$JS.API.STREAM.DELETE.orders", "$SYS.REQ.SERVER.PING", "$KV.b.k", "$"] {
            assert_eq!(place(reserved), Some(ErrorKind::AccessDenied), "{reserved}");
        }
    }
}

#[test]
fn keys_and_media_types_at_their_edges() {
    let key = |key: &str| kind(with(&[]).with_key(key.to_owned()));
    let content_type = |text: &str| kind(with(&[]).with_content_type(text.to_owned()));
    for place in [&key as &dyn Fn(&str) -> Option<ErrorKind>, &content_type] {
        for (length, allowed) in [(0, false), (1, true), (254, true), (255, true), (256, false)] {
            assert_eq!(place(&"k".repeat(length)).is_none(), allowed, "{length}");
        }
        assert_eq!(place("text/plain; charset=ü"), None);
        for bad in [" a", "a ", "\u{a0}a"].iter().chain(&BREAKERS) {
            assert_eq!(place(bad), INVALID, "{bad:?}");
        }
    }
}

#[test]
fn names_of_headers() {
    for allowed in ["traceparent", "X-a_b.c", "!#$%&'*+-.^_`|~", "natsy", "nats", "tempo", "Nats_x", "content"] {
        assert_eq!(kind(with(&[(allowed, "v")])), None, "{allowed}");
    }
    for (length, allowed) in [(0, false), (1, true), (127, true), (128, true), (129, false)] {
        assert_eq!(kind(with(&[(&"n".repeat(length), "v")])).is_none(), allowed, "{length}");
    }
    for bad in ["a:b", "a b", "ü", "a:", "(a)", "a/b"].iter().chain(&BREAKERS) {
        assert_eq!(kind(with(&[(bad, "v")])), INVALID, "{bad:?}");
    }
}

#[test]
fn headers_that_a_server_obeys_are_not_a_components_to_set() {
    for reserved in [
        "Nats-Rollup",
        "nats-rollup",
        "NATS-EXPECTED-STREAM",
        "Nats-TTL",
        "Nats-",
        "Tempo-Key",
        "tempo-reply-to",
        "Tempo-Dead-Reason",
        "Content-Type",
        "content-type",
    ] {
        assert_eq!(kind(with(&[(reserved, "all")])), INVALID, "{reserved}");
    }
}

#[test]
fn values_of_headers() {
    for allowed in ["", "v", "a b", "ü🔑", "a: b", "a\u{a0}b"] {
        assert_eq!(kind(with(&[("n", allowed)])), None, "{allowed:?}");
    }
    for bad in [" v", "v ", "\u{2003}v", "\t"].iter().chain(&BREAKERS) {
        assert_eq!(kind(with(&[("n", bad)])), INVALID, "{bad:?}");
    }
}

#[test]
fn an_id_has_one_name_and_one_value() {
    let mut message = with(&[("a", "1"), ("nats-msg-ID", "7"), ("a", "2")]);
    super::message(&limits(), &mut message).unwrap();
    assert_eq!(message, with(&[("a", "1"), (MESSAGE_ID, "7"), ("a", "2")]));
    assert_eq!(kind(with(&[(MESSAGE_ID, "7"), ("nats-msg-id", "7")])), INVALID);
}

#[test]
fn headers_at_their_edges() {
    for (count, allowed) in [(99, true), (100, true), (101, false)] {
        let expected = if allowed { None } else { TOO_LARGE };
        assert_eq!(kind(with(&vec![("n", "v"); count])), expected, "{count}");
    }
    const MOST: usize = 16 << 10;
    for (bytes, allowed) in [(MOST - 1, true), (MOST, true), (MOST + 1, false)] {
        let expected = if allowed { None } else { TOO_LARGE };
        assert_eq!(kind(with(&[("nn", &"v".repeat(bytes - 5)), ("n", "vv")])), expected, "{bytes}");
    }
}

#[test]
fn payloads_at_their_edges() {
    const MOST: usize = 1 << 20;
    for (bytes, expected) in [(0, None), (MOST - 1, None), (MOST, None), (MOST + 1, TOO_LARGE)] {
        assert_eq!(kind(with(&[]).with_payload(vec![0; bytes])), expected, "{bytes}");
    }
}
