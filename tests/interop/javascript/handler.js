// A wasi:http 0.2 handler: a listener for fetch events, as in a service worker.

addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  const { pathname } = new URL(request.url);
  return new Response(`hello from JavaScript: ${pathname}`, { headers: { "content-type": "text/plain" } });
}
