;; `trace-id: func() -> string` returns the trace of the host's span, which is empty outside of a call.
(component
    (import "wasi:otel/tracing@0.2.0-rc.2" (instance $tracing
        (type $raw-flags (flags "sampled"))
        (export "trace-flags" (type $flags (eq $raw-flags)))
        (type $raw (record (field "trace-id" string) (field "span-id" string) (field "trace-flags" $flags)
            (field "is-remote" bool) (field "trace-state" (list (tuple string string)))))
        (export "span-context" (type $context (eq $raw)))
        (export "outer-span-context" (func (result $context)))))
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
    (core func $context (canon lower (func $tracing "outer-span-context") (memory $mem) (realloc $realloc)))
    (core module $main
        (import "host" "context" (func $context (param i32)))
        (func (export "trace-id") (result i32) (call $context (i32.const 64)) (i32.const 64)))
    (core instance $main (instantiate $main (with "host" (instance (export "context" (func $context))))))
    (func (export "trace-id") (result string) (canon lift (core func $main "trace-id") (memory $mem))))
