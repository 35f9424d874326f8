;; `run: func() -> bool` makes fields of HTTP, and returns whether they have the name "accept".
(component
    (import "wasi:http/types@0.2.0" (instance $types
        (export "fields" (type $fields (sub resource)))
        (export "[constructor]fields" (func (result (own $fields))))
        (export "[method]fields.has" (func (param "self" (borrow $fields)) (param "name" string) (result bool)))))
    (core module $memory
        (memory (export "memory") 1)
        (data (i32.const 16) "accept"))
    (core instance $memory (instantiate $memory))
    (alias core export $memory "memory" (core memory $mem))
    (core func $new (canon lower (func $types "[constructor]fields")))
    (core func $has (canon lower (func $types "[method]fields.has") (memory $mem)))
    (core module $main
        (import "host" "new" (func $new (result i32)))
        (import "host" "has" (func $has (param i32 i32 i32) (result i32)))
        (func (export "run") (result i32) (call $has (call $new) (i32.const 16) (i32.const 6))))
    (core instance $main (instantiate $main (with "host" (instance
        (export "new" (func $new)) (export "has" (func $has))))))
    (func (export "run") (result bool) (canon lift (core func $main "run"))))
