// The live connection. hx-ws connects #live-socket and puts in what arrives; this file has it begin, answers the beacons,
// so that the server knows how far the page has come, replaces a connection that hangs, and tells the others by events on
// the body: live:heard (a sign of life) and live:lost (no connection).
window.live = (() => {
  const HANGS = 13_000; // ms without a sign of life, of which there is one every 10 s, until a connection is replaced
  const SIGNED_OUT = 4401;
  let place = document.getElementById("live-socket");
  let socket = null; // the WebSocket while it is open
  let begun = Date.now();

  const tell = (name) => document.body.dispatchEvent(new CustomEvent(`live:${name}`));

  function heard() {
    begun = Date.now();
    tell("heard");
  }

  function connect() {
    begun = Date.now();
    place.setAttribute("hx-ws:connect", place.dataset.connect);
    htmx.process(place);
  }

  function reconnect() {
    const old = place;
    socket = null;
    place = old.cloneNode();
    place.removeAttribute("data-htmx-powered");
    old._htmx?.ws?.connection?.socket?.close();
    old.replaceWith(place); // hx-ws lets go of a connection whose element has left the page
    connect();
  }

  function signedOut() {
    if (document.body.dataset.topic) location.reload(); // to the sign-in page; a page with a form keeps what was typed
  }

  const on = (name, act) => document.addEventListener(name, (event) => event.target === place && act(event.detail));
  on("htmx:ws:after:connection", ({ connection }) => { socket = connection.socket; });
  on("htmx:ws:after:message:incoming", ({ message }) => {
    if (message.data[0] === "{") socket?.send(String(JSON.parse(message.data).echo));
    heard();
  });
  on("htmx:ws:close", ({ code }) => {
    socket = null;
    tell("lost");
    if (code === SIGNED_OUT) signedOut();
  });

  // Not before every script has run: htmx processes the page between two of them when the second takes its time, and then
  // either hx-ws would not be there to connect, or nobody to hear the first message.
  document.addEventListener("DOMContentLoaded", connect);
  document.addEventListener("click", (event) => { if (event.target.closest("[data-live-retry]")) reconnect(); });
  window.addEventListener("pageshow", (event) => { if (event.persisted) reconnect(); });
  setInterval(() => { if (Date.now() - begun > HANGS) reconnect(); }, 1000);

  return { heard, signedOut, isOpen: () => socket !== null, ask: () => socket?.send("whole"), place: () => place };
})();
