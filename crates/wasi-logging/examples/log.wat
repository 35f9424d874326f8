;; `run: func()` logs "hello" with the level `info`.
(component
    (import "wasi:logging/logging@0.1.0-draft" (instance $logging
        (type $raw (enum "trace" "debug" "info" "warn" "error" "critical"))
        (export "level" (type $level (eq $raw)))
        (export "log" (func (param "level" $level) (param "context" string) (param "message" string)))))
    (core module $memory
        (memory (export "memory") 1)
        (data (i32.const 16) "hello"))
    (core instance $memory (instantiate $memory))
    (alias core export $memory "memory" (core memory $mem))
    (core func $log (canon lower (func $logging "log") (memory $mem)))
    (core module $main
        (import "host" "log" (func $log (param i32 i32 i32 i32 i32)))
        (func (export "run") (call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 16) (i32.const 5))))
    (core instance $main (instantiate $main (with "host" (instance (export "log" (func $log))))))
    (func (export "run") (canon lift (core func $main "run"))))
