(component
  (import "cache" (implements "wasi:keyvalue/store@0.2.0-draft") (instance $store
    (export "bucket" (type $bucket (sub resource)))
    (type $cases (variant (case "no-such-store") (case "access-denied") (case "other" string)))
    (export "error" (type $error (eq $cases)))
    (export "open" (func (param "identifier" string) (result (result (own $bucket) (error $error)))))))
  (core module $memory
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024))
  (core instance $m (instantiate $memory))
  (alias core export $m "memory" (core memory $mem))
  (alias core export $m "realloc" (core func $realloc))
  (core func $open (canon lower (func $store "open") (memory $mem) (realloc $realloc)))
  (core module $main
    (import "host" "open" (func $open (param i32 i32 i32)))
    (import "host" "memory" (memory 1))
    (func (export "check") (result i32)
      (call $open (i32.const 0) (i32.const 0) (i32.const 16))
      (i32.load8_u (i32.const 16))))
  (core instance $i (instantiate $main (with "host" (instance (export "open" (func $open)) (export "memory" (memory $mem))))))
  (func $check (result (result)) (canon lift (core func $i "check")))
  (instance $checks (export "check" (func $check)))
  (export "acme:labels/checks@1.0.0" (instance $checks)))
