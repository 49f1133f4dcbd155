// Clocks inside the page: when something was done, when its result was painted, what the server sent.
const FORWARD_DONE = "Measuring the heads"; // what the app says as soon as the forward pass is over
const PATIENCE = 60_000; // ms

const clock = (globalThis.clock = {
  bytes: 0, // from the server, all messages
  forwardDone: null, // ms on the page's clock
  clicked: null, // ms on the page's clock, of the last click

  // The root of a component of ours.
  root: (key) => {
    const place = document.querySelector(`.st-key-${key}`);
    return [...(place?.querySelectorAll("*") ?? [])].find((element) => element.shadowRoot)?.shadowRoot;
  },

  // The moment after the first frame that shows that `isThere`; fails if none does in a minute.
  when: (isThere) =>
    new Promise((done, fail) => {
      const look = () => {
        if (!isThere()) return requestAnimationFrame(look);
        const channel = new MessageChannel();
        channel.port1.onmessage = () => done(performance.now());
        channel.port2.postMessage(null);
      };
      requestAnimationFrame(look);
      const said = () => `still waiting for ${isThere}; the page says: ${document.body.innerText}`;
      setTimeout(() => fail(new Error(said())), PATIENCE);
    }),

  isIdle: () =>
    document.querySelector("[data-testid=stApp]")?.dataset.testScriptState === "notRunning",
});

document.addEventListener("click", (event) => (clock.clicked = event.timeStamp), true);

const Socket = globalThis.WebSocket;
globalThis.WebSocket = class extends Socket {
  constructor(...where) {
    super(...where);
    this.addEventListener("message", ({ data }) => {
      clock.bytes += data.byteLength;
      if (data.byteLength > 10_000) return;
      if (new TextDecoder("latin1").decode(data).includes(FORWARD_DONE)) {
        clock.forwardDone = performance.now();
      }
    });
  }
};
