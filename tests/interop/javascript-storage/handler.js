// Keyvalue and blobstore over their drafts, with the bindings that componentize-js generates from the WIT.
//
//   POST /counters/KEY  adds one               PUT, GET, DELETE /values/KEY, GET /values
//   POST /swaps/KEY     appends, atomically    PUT, GET, DELETE /objects/NAME, GET /objects
//   POST /races/KEY     appends, while another client writes the same bytes
//
// `?store=NAME` selects the store; without it, the empty name, and the container `default`.

import { getContainer } from "wasi:blobstore/blobstore@0.2.0-draft";
import { IncomingValue, OutgoingValue } from "wasi:blobstore/types@0.2.0-draft";
import { Cas, increment, swap } from "wasi:keyvalue/atomics@0.2.0-draft2";
import { open } from "wasi:keyvalue/store@0.2.0-draft2";

// The maximum size of one write to a stream, in bytes.
const PIECE = 4096;

addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  const url = new URL(request.url);
  const [, kind, name] = url.pathname.split("/").map(decodeURIComponent);
  const store = url.searchParams.get("store");
  const body = new Uint8Array(await request.arrayBuffer());
  try {
    return kind === "objects"
      ? object(request.method, getContainer(store ?? "default"), name, body)
      : value(`${request.method} ${kind}`, open(store ?? ""), name, body);
  } catch (error) {
    // These bindings throw the error of a WIT function.
    return new Response(JSON.stringify(error.payload) ?? `${error}`, { status: 500 });
  }
}

function value(operation, bucket, key, body) {
  switch (operation) {
    case "POST counters": return new Response(`${increment(bucket, key, 1n)}`);
    case "POST swaps": return new Response(append(bucket, key, body));
    case "POST races": return new Response(append(bucket, key, body, () => bucket.set(key, body)));
    case "PUT values": return done(bucket.set(key, body));
    case "GET values": return key === undefined ? lines(keys(bucket)) : found(bucket.get(key));
    case "DELETE values": return done(bucket.delete(key));
    default: return found();
  }
}

function object(method, container, name, body) {
  switch (method) {
    case "PUT": return done(write(container, name, body));
    case "GET": return name === undefined ? lines(objects(container)) : found(read(container, name));
    case "DELETE": return done(container.deleteObject(name));
    default: return found();
  }
}

const done = () => new Response(null, { status: 204 });
const found = (bytes) => (bytes === undefined ? new Response(null, { status: 404 }) : new Response(bytes));
const lines = (names) => new Response(names.map((name) => `${name}\n`).join(""));

// Retries if another client has written in between: the error has a handle of the current state.
function append(bucket, key, bytes, meanwhile) {
  for (let cas = Cas.new(bucket, key); ; meanwhile = undefined) {
    const whole = new Uint8Array([...(cas.current() ?? []), ...bytes]);
    meanwhile?.();
    try {
      swap(cas, whole);
      return whole;
    } catch (error) {
      if (error.payload?.tag !== "cas-failed") throw error;
      cas = error.payload.val;
    }
  }
}

function keys(bucket) {
  const all = [];
  let cursor;
  do {
    const page = bucket.listKeys(cursor);
    all.push(...page.keys);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return all;
}

function write(container, name, bytes) {
  const outgoing = OutgoingValue.newOutgoingValue();
  const stream = outgoing.outgoingValueWriteBody();
  container.writeData(name, outgoing);
  for (let at = 0; at < bytes.length; at += PIECE) {
    stream.blockingWriteAndFlush(bytes.subarray(at, at + PIECE));
  }
  // A stream exists until it is collected, so it still exists when its value is finished.
  OutgoingValue.finish(outgoing);
}

function read(container, name) {
  if (!container.hasObject(name)) return undefined;
  // The last requested byte is one too many, as in published examples; the range is clamped.
  return IncomingValue.incomingValueConsumeSync(container.getData(name, 0n, container.objectInfo(name).size));
}

function objects(container) {
  const all = [];
  const stream = container.listObjects();
  for (let ended = false; !ended; ) {
    let names;
    [names, ended] = stream.readStreamObjectNames(100n);
    all.push(...names);
  }
  return all;
}
