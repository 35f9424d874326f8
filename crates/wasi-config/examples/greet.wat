;; `greet: func() -> string` returns the value of the key "greeting". Without one it traps.
(component
    (import "wasi:config/store@0.2.0-rc.1" (instance $config
        (type $raw (variant (case "upstream" string) (case "io" string)))
        (export "error" (type $error (eq $raw)))
        (export "get" (func (param "key" string) (result (result (option string) (error $error)))))))
    (core module $memory
        (memory (export "memory") 1)
        (global $next (mut i32) (i32.const 1024))
        (func (export "realloc") (param i32 i32 i32 i32) (result i32)
            (local $at i32)
            (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
            (global.set $next (i32.add (local.get $at) (local.get 3)))
            (local.get $at))
        (data (i32.const 16) "greeting"))
    (core instance $memory (instantiate $memory))
    (alias core export $memory "memory" (core memory $mem))
    (alias core export $memory "realloc" (core func $realloc))
    (core func $get (canon lower (func $config "get") (memory $mem) (realloc $realloc)))
    (core module $main
        (import "host" "memory" (memory 1))
        (import "host" "get" (func $get (param i32 i32 i32)))
        (func (export "greet") (result i32)
            (call $get (i32.const 16) (i32.const 8) (i32.const 64))
            (if (i32.load8_u (i32.const 64)) (then unreachable))
            (if (i32.eqz (i32.load8_u (i32.const 68))) (then unreachable))
            (i32.const 72)))
    (core instance $main (instantiate $main (with "host" (instance
        (export "memory" (memory $mem)) (export "get" (func $get))))))
    (func (export "greet") (result string) (canon lift (core func $main "greet") (memory $mem))))
