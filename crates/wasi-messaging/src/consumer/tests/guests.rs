//! Components in text form, one for each of the interfaces that a handler can have.

/// A component with a memory, and a `main` module that has it as `host memory`. `main` exports `handle`.
fn component(imports: &str, lowered: &str, main: &str, exports: &str) -> String {
    format!(
        r#"(component
            {imports}
            (core module $memory
                (memory (export "memory") 2)
                (data (i32.const 0) "outno")
                (global $next (mut i32) (i32.const 1024))
                (func (export "realloc") (param i32 i32 i32 i32) (result i32)
                    (local $at i32)
                    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
                    (global.set $next (i32.add (local.get $at) (local.get 3)))
                    (local.get $at)))
            (core instance $memory (instantiate $memory))
            (alias core export $memory "memory" (core memory $mem))
            (alias core export $memory "realloc" (core func $realloc))
            {lowered}
            (core module $main (import "host" "memory" (memory 1)) {main})
            {exports}
        )"#
    )
}

/// `wasmcloud:messaging@0.2.0`. The first letter of the body decides: `t` traps, `l` never ends, `e` is an error, `p`
/// publishes the body, `r` publishes it on `reply-to`, `c` publishes how many messages the instance has been given,
/// `f` publishes on the topic `f`; anything else is done with.
pub(super) fn wasmcloud_v0_2(start: &str) -> String {
    let imports = r#"
        (import "wasmcloud:messaging/types@0.2.0" (instance $types
            (type $raw (record (field "subject" string) (field "body" (list u8)) (field "reply-to" (option string))))
            (export "broker-message" (type (eq $raw)))))
        (alias export $types "broker-message" (type $message))
        (import "wasmcloud:messaging/consumer@0.2.0" (instance $consumer
            (alias outer 1 $message (type $outer))
            (export "broker-message" (type $message (eq $outer)))
            (export "publish" (func (param "msg" $message) (result (result (error string)))))))"#;
    let lowered = r#"
        (core func $publish (canon lower (func $consumer "publish") (memory $mem) (realloc $realloc)))"#;
    let main = format!(
        r#"
        (import "host" "publish" (func $publish (param i32 i32 i32 i32 i32 i32 i32 i32)))
        (global $count (mut i32) (i32.const 0x30))
        (func $start {start})
        (start $start)
        (func $out (param $subject i32) (param $length i32) (param $body i32) (param $size i32)
            (call $publish (local.get $subject) (local.get $length) (local.get $body) (local.get $size)
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64)))
        (func (export "handle") (param $subject i32) (param $length i32) (param $body i32) (param $size i32)
            (param $has_reply i32) (param $reply i32) (param $reply_length i32) (result i32)
            (local $first i32)
            (global.set $count (i32.add (global.get $count) (i32.const 1)))
            (local.set $first (i32.load8_u (local.get $body)))
            (if (i32.eq (local.get $first) (i32.const 0x74)) (then unreachable))
            (if (i32.eq (local.get $first) (i32.const 0x6c)) (then (loop $again (br $again))))
            (if (i32.eq (local.get $first) (i32.const 0x65)) (then
                (i32.store8 (i32.const 16) (i32.const 1))
                (i32.store (i32.const 20) (i32.const 3))
                (i32.store (i32.const 24) (i32.const 2))
                (return (i32.const 16))))
            (if (i32.eq (local.get $first) (i32.const 0x70)) (then
                (call $out (i32.const 0) (i32.const 3) (local.get $body) (local.get $size))))
            (if (i32.eq (local.get $first) (i32.const 0x72)) (then
                (call $out (local.get $reply) (local.get $reply_length) (local.get $body) (local.get $size))))
            (if (i32.eq (local.get $first) (i32.const 0x66)) (then
                (call $out (local.get $body) (i32.const 1) (local.get $body) (local.get $size))))
            (if (i32.eq (local.get $first) (i32.const 0x63)) (then
                (i32.store8 (local.get $body) (global.get $count))
                (call $out (i32.const 0) (i32.const 3) (local.get $body) (local.get $size))))
            (i32.store8 (i32.const 16) (i32.const 0))
            (i32.const 16))"#
    );
    let exports = r#"
        (core instance $main (instantiate $main
            (with "host" (instance (export "memory" (memory $mem)) (export "publish" (func $publish))))))
        (func $handle (param "msg" $message) (result (result (error string)))
            (canon lift (core func $main "handle") (memory $mem) (realloc $realloc)))
        (instance $handler (export "handle-message" (func $handle)))
        (export "wasmcloud:messaging/handler@0.2.0" (instance $handler))"#;
    component(imports, lowered, &main, exports)
}

/// `wasmcloud:messaging@0.3.0`. The first letter of the subject decides: `j` rejects, `r` requests a retry, `o`
/// is another error; anything else is done with.
pub(super) fn wasmcloud_v0_3() -> String {
    let imports = r#"
        (import "wasmcloud:messaging/types@0.3.0" (instance $types
            (type $raw (record
                (field "subject" string) (field "body" (stream u8)) (field "reply-to" (option string))))
            (export "broker-message" (type (eq $raw)))
            (type $raw_error (variant (case "reject") (case "retry") (case "other" string)))
            (export "handle-message-error" (type (eq $raw_error)))))
        (alias export $types "broker-message" (type $message))
        (alias export $types "handle-message-error" (type $error))"#;
    let main = r#"
        (func $error (param $case i32) (result i32)
            (i32.store8 (i32.const 16) (i32.const 1))
            (i32.store8 (i32.const 20) (local.get $case))
            (i32.store (i32.const 24) (i32.const 3))
            (i32.store (i32.const 28) (i32.const 2))
            (i32.const 16))
        (func (export "handle") (param $subject i32) (param $length i32) (param $body i32)
            (param $has_reply i32) (param $reply i32) (param $reply_length i32) (result i32)
            (local $first i32)
            (local.set $first (i32.load8_u (local.get $subject)))
            (if (i32.eq (local.get $first) (i32.const 0x6a)) (then (return (call $error (i32.const 0)))))
            (if (i32.eq (local.get $first) (i32.const 0x72)) (then (return (call $error (i32.const 1)))))
            (if (i32.eq (local.get $first) (i32.const 0x6f)) (then (return (call $error (i32.const 2)))))
            (i32.store8 (i32.const 16) (i32.const 0))
            (i32.const 16))"#;
    let exports = r#"
        (core instance $main (instantiate $main (with "host" (instance (export "memory" (memory $mem))))))
        (func $handle async (param "msg" $message) (result (result (error $error)))
            (canon lift (core func $main "handle") (memory $mem) (realloc $realloc)))
        (instance $handler (export "handle-message" (func $handle)))
        (export "wasmcloud:messaging/handler@0.3.0" (instance $handler))"#;
    component(imports, "", main, exports)
}

/// `tempo:messaging@0.1.0`. The first letter of the payload decides: `r` requests a retry, `w` for one in a
/// second, `y` for one in more than an hour, `j` rejects with the topic as its reason; anything else is done with. It
/// traps unless it receives the attempt 1 or 2 and the sequence 7, at the beginning of time.
pub(super) fn tempo() -> String {
    let imports = r#"
        (import "tempo:messaging/types@0.1.0" (instance $types
            (type $raw (record (field "topic" string) (field "key" (option string))
                (field "content-type" (option string)) (field "headers" (list (tuple string string)))
                (field "reply-to" (option string)) (field "payload" (list u8))))
            (export "message" (type (eq $raw)))))
        (alias export $types "message" (type $message))"#;
    let main = r#"
        (func $retry (param $some i32) (param $after i64) (result i32)
            (i32.store8 (i32.const 16) (i32.const 1))
            (i32.store8 (i32.const 24) (local.get $some))
            (i64.store (i32.const 32) (local.get $after))
            (i32.const 16))
        (func (export "handle") (param $delivery i32) (result i32)
            (local $first i32)
            (if (i32.gt_u (i32.load offset=60 (local.get $delivery)) (i32.const 2)) (then unreachable))
            (if (i64.ne (i64.load offset=64 (local.get $delivery)) (i64.const 0)) (then unreachable))
            (if (i64.ne (i64.load offset=80 (local.get $delivery)) (i64.const 7)) (then unreachable))
            (local.set $first (i32.load8_u (i32.load offset=52 (local.get $delivery))))
            (if (i32.eq (local.get $first) (i32.const 0x72))
                (then (return (call $retry (i32.const 0) (i64.const 0)))))
            (if (i32.eq (local.get $first) (i32.const 0x77))
                (then (return (call $retry (i32.const 1) (i64.const 1000)))))
            (if (i32.eq (local.get $first) (i32.const 0x79))
                (then (return (call $retry (i32.const 1) (i64.const 3600001)))))
            (i32.store8 (i32.const 16) (i32.const 0))
            (if (i32.eq (local.get $first) (i32.const 0x6a)) (then
                (i32.store8 (i32.const 16) (i32.const 2))
                (i32.store (i32.const 24) (i32.load (local.get $delivery)))
                (i32.store (i32.const 28) (i32.load offset=4 (local.get $delivery)))))
            (i32.const 16))"#;
    let exports = r#"
        (core instance $main (instantiate $main (with "host" (instance (export "memory" (memory $mem))))))
        (type $delivery (record (field "message" $message) (field "attempt" u32) (field "timestamp" u64)
            (field "sequence" (option u64))))
        (type $disposition (variant (case "ack") (case "retry" (option u64)) (case "reject" string)))
        (func $handle async (param "delivery" $delivery) (result $disposition)
            (canon lift (core func $main "handle") (memory $mem) (realloc $realloc)))
        (instance $handler
            (export "delivery" (type $delivery))
            (export "disposition" (type $disposition))
            (export "handle" (func $handle)))
        (export "tempo:messaging/handler@0.1.0" (instance $handler))"#;
    component(imports, "", main, exports)
}

/// `wasi:messaging@0.2.0-draft`. Every message is an error, `no`, but for those on the topic `done`.
pub(super) fn draft() -> String {
    let imports = r#"
        (import "wasi:messaging/types@0.2.0-draft" (instance $types
            (export "message" (type $message (sub resource)))
            (type $raw (variant (case "timeout") (case "connection" string) (case "permission-denied" string)
                (case "other" string)))
            (export "error" (type (eq $raw)))
            (export "[method]message.topic" (func (param "self" (borrow $message)) (result (option string))))))
        (alias export $types "message" (type $message))
        (alias export $types "error" (type $error))"#;
    let lowered = r#"
        (core func $topic (canon lower (func $types "[method]message.topic") (memory $mem) (realloc $realloc)))"#;
    let main = r#"
        (import "host" "topic" (func $topic (param i32 i32)))
        (func (export "handle") (param $message i32) (result i32)
            (call $topic (local.get $message) (i32.const 64))
            (if (i32.eq (i32.load offset=72 (i32.const 0)) (i32.const 4)) (then
                (i32.store8 (i32.const 16) (i32.const 0))
                (return (i32.const 16))))
            (i32.store8 (i32.const 16) (i32.const 1))
            (i32.store8 (i32.const 20) (i32.const 3))
            (i32.store (i32.const 24) (i32.const 3))
            (i32.store (i32.const 28) (i32.const 2))
            (i32.const 16))"#;
    let exports = r#"
        (core instance $main (instantiate $main
            (with "host" (instance (export "memory" (memory $mem)) (export "topic" (func $topic))))))
        (func $handle (param "message" (own $message)) (result (result (error $error)))
            (canon lift (core func $main "handle") (memory $mem) (realloc $realloc)))
        (instance $handler (export "handle" (func $handle)))
        (export "wasi:messaging/incoming-handler@0.2.0-draft" (instance $handler))"#;
    component(imports, lowered, main, exports)
}
