(component
    (import "tempo:messaging/types@0.1.0" (instance $types
        (type $raw (record
            (field "topic" string) (field "key" (option string)) (field "content-type" (option string))
            (field "headers" (list (tuple string string))) (field "reply-to" (option string))
            (field "payload" (list u8))))
        (export "message" (type (eq $raw)))
        (type $raw_kind (enum
            "no-such-client" "invalid-argument" "too-large" "timeout" "no-responders" "unavailable" "quota-exceeded"
            "access-denied" "other"))
        (export "error-kind" (type $kind (eq $raw_kind)))
        (type $raw_error (record (field "kind" $kind) (field "message" string)))
        (export "error" (type (eq $raw_error)))))
    (alias export $types "message" (type $message))
    (alias export $types "error" (type $error))
    (import "tempo:messaging/producer@0.1.0" (instance $producer
        (alias outer 1 $message (type $outer_message))
        (export "message" (type $message (eq $outer_message)))
        (alias outer 1 $error (type $outer_error))
        (export "error" (type $error (eq $outer_error)))
        (export "publish" (func async (param "client" string) (param "message" $message)
            (result (result (error $error)))))
        (export "publish-many" (func async (param "client" string) (param "messages" (list $message))
            (result (list (result (error $error))))))
        (export "request" (func async (param "client" string) (param "message" $message) (param "timeout" u32)
            (result (result $message (error $error)))))))
    (core module $memory
        (memory (export "memory") 1)
        (global $next (mut i32) (i32.const 1024))
        (func (export "realloc") (param i32 i32 i32 i32) (result i32)
            (local $at i32)
            (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
            (global.set $next (i32.add (local.get $at) (local.get 3)))
            (local.get $at)))
    (core instance $memory (instantiate $memory))
    (alias core export $memory "memory" (core memory $mem))
    (alias core export $memory "realloc" (core func $realloc))
    (core func $publish (canon lower (func $producer "publish") (memory $mem) (realloc $realloc)))
    (core module $main
        (import "host" "publish" (func $publish (param i32 i32)))
        (import "host" "memory" (memory 1))
        ;; Where the client is empty, and so is all but the topic and the payload.
        (func (export "publish") (param $topic i32) (param $length i32) (result i32)
            (i32.store (i32.const 264) (local.get $topic))
            (i32.store (i32.const 268) (local.get $length))
            (i32.store (i32.const 316) (local.get $topic))
            (i32.store (i32.const 320) (local.get $length))
            (call $publish (i32.const 256) (i32.const 64))
            (i32.load8_u (i32.const 64))))
    (core instance $main (instantiate $main (with "host" (instance
        (export "memory" (memory $mem)) (export "publish" (func $publish))))))
    (func (export "publish") async (param "topic" string) (result u32)
        (canon lift (core func $main "publish") (memory $mem) (realloc $realloc))))
