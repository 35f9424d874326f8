;; `exists: func(name: string) -> bool` asks whether there is a container of this name. An error traps.
(component
    (import "wasi:blobstore/blobstore@0.2.0-draft" (instance $blobstore
        (export "container-exists" (func (param "name" string) (result (result bool (error string)))))))
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
    (core func $exists (canon lower (func $blobstore "container-exists") (memory $mem) (realloc $realloc)))
    (core module $main
        (import "host" "memory" (memory 1))
        (import "host" "exists" (func $exists (param i32 i32 i32)))
        (func (export "exists") (param $name i32) (param $length i32) (result i32)
            (call $exists (local.get $name) (local.get $length) (i32.const 64))
            (if (i32.load8_u (i32.const 64)) (then unreachable))
            (i32.load8_u (i32.const 68))))
    (core instance $main (instantiate $main (with "host" (instance
        (export "memory" (memory $mem)) (export "exists" (func $exists))))))
    (func (export "exists") (param "name" string) (result bool)
        (canon lift (core func $main "exists") (memory $mem) (realloc $realloc))))
