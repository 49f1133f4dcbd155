// Shows the view in the page, in the place of Streamlit.
function decoded(text) {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
}

function mount() {
  const place = document.getElementById("data");
  const { message, blobs } = JSON.parse(place.textContent);
  place.remove(); // megabytes that nobody reads again
  for (const [key, content] of Object.entries(blobs)) bus.blobs.set(key, decoded(content));
  const root = document.getElementById("view").attachShadow({ mode: "open" });
  root.append(document.getElementById("parts").content);
  const ignored = () => {}; // nobody listens to what is chosen, and nothing is missing
  linkedView({ data: message, parentElement: root, setStateValue: ignored, setTriggerValue: ignored });
}

// A frame does not grow with what it holds; where it may be reached it is told.
function fitFrame() {
  const frame = globalThis.frameElement;
  if (!frame) return;
  const fit = () => (frame.style.height = `${document.documentElement.offsetHeight}px`);
  new ResizeObserver(fit).observe(document.documentElement);
}

mount();
fitFrame();
