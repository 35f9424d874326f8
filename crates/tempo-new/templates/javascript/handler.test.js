// node --test: sends an event to the handler, as the component's interpreter does.

import assert from "node:assert/strict";
import test from "node:test";

let listener;
globalThis.addEventListener = (type, added) => {
  assert.equal(type, "fetch");
  listener = added;
};
await import("./handler.js");

test("the response has the path", async () => {
  const request = new Request("http://localhost/a/path");
  const response = await new Promise((respondWith) => listener({ request, respondWith }));
  assert.equal(await response.text(), "Hello from __NAME__: /a/path\n");
});
