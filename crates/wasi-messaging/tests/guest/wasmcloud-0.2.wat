(component
    (import "wasmcloud:messaging/types@0.2.0" (instance $types
        (type $raw (record (field "subject" string) (field "body" (list u8)) (field "reply-to" (option string))))
        (export "broker-message" (type (eq $raw)))))
    (alias export $types "broker-message" (type $message))
    (import "wasmcloud:messaging/consumer@0.2.0" (instance $consumer
        (alias outer 1 $message (type $outer))
        (export "broker-message" (type $message (eq $outer)))
        (export "request" (func (param "subject" string) (param "body" (list u8)) (param "timeout-ms" u32)
            (result (result $message (error string)))))
        (export "publish" (func (param "msg" $message) (result (result (error string)))))))
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
    (core func $publish (canon lower (func $consumer "publish") (memory $mem) (realloc $realloc)))
    (core module $main
        (import "host" "publish" (func $publish (param i32 i32 i32 i32 i32 i32 i32 i32)))
        (import "host" "memory" (memory 1))
        (func (export "publish") (param $topic i32) (param $length i32) (result i32)
            (call $publish (local.get $topic) (local.get $length) (local.get $topic) (local.get $length)
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))
            (i32.load8_u (i32.const 64))))
    (core instance $main (instantiate $main (with "host" (instance
        (export "memory" (memory $mem)) (export "publish" (func $publish))))))
    (func (export "publish") (param "topic" string) (result u32)
        (canon lift (core func $main "publish") (memory $mem) (realloc $realloc))))
