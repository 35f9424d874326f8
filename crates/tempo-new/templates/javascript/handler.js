// An HTTP handler: a listener for fetch events, as in a service worker.

addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  const { pathname } = new URL(request.url);
  return new Response(`Hello from __NAME__: ${pathname}\n`, { headers: { "content-type": "text/plain" } });
}
