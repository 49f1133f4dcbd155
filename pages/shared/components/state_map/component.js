// The map of hidden states: words and patches glide through the layers. Pointing, choosing and
// playing are answered here; Python hears of what was chosen, and its own changes are followed.

const views = new WeakMap();
const GLIDE = 420; // ms from one layer to the next after a choice
const STEP = 1000; // ms for each layer while playing
const WHOLE_WAY = 15_000; // ms through all layers, where they are many
const QUIET = 250; // ms without another change before Python is told
const LOOKING_UP = "Looking up what lies nearest to it …";
const PATIENCE = 3000; // ms before a blob counts as lost on its way

export default function (component) {
  const { parentElement: root } = component;
  let view = views.get(root);
  if (!view) views.set(root, (view = new StateMap(root)));
  view.show(component);
  return () => {
    view.close();
    views.delete(root);
  };
}

class StateMap {
  constructor(root) {
    this.find = (name) => root.querySelector(name);
    this.host = root.host ?? root;
    this.canvas = this.find(".map > canvas");
    this.pen = this.canvas.getContext("2d");
    Object.assign(this, { map: null, picture: null, selected: [], hovered: null, state: 0, at: 0 });
    Object.assign(this, { tokens: [], sent: [], heard: null, playing: false, frame: 0 });
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.onBlob = ({ detail }) => detail === this.data.blob && this.load();
    bus.target.addEventListener("blob", this.onBlob);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.canvas);
    this.listen();
  }

  close() {
    cancelAnimationFrame(this.frame);
    clearTimeout(this.quiet);
    clearTimeout(this.patience);
    this.observer.disconnect();
    bus.target.removeEventListener("blob", this.onBlob);
    if (this.url) URL.revokeObjectURL(this.url);
  }

  // Called on every run of the page and on every change of theme.
  show(component) {
    this.component = component;
    const before = this.data?.nearest;
    this.data = component.data;
    this.follow();
    if (JSON.stringify(before) !== JSON.stringify(this.data.nearest)) this.list(), this.tick();
    if (this.loaded !== this.data.blob) this.load();
    if (JSON.stringify(this.theme) !== JSON.stringify(this.themeNow())) this.prepare();
  }

  themeNow() {
    const style = getComputedStyle(this.host);
    const of = (name, otherwise) => style.getPropertyValue(name).trim() || otherwise;
    return {
      text: of("--st-text-color", "#0f172a"),
      back: of("--st-background-color", "#ffffff"),
      font: of("--st-font", "sans-serif"),
    };
  }

  // What Python says counts unless it only repeats what was said from here.
  follow() {
    const { tokens, state } = this.data;
    const said = JSON.stringify([tokens, state]);
    if (said === this.heard) return;
    this.heard = said;
    const echo = this.sent.indexOf(said);
    if (echo >= 0) {
      this.sent.splice(0, echo + 1);
      return;
    }
    this.sent = [];
    this.select(this.marksOf(tokens), false);
    this.tokens = tokens; // also those that only the next blob knows
    this.go(state, false);
  }

  marksOf(tokens) {
    return this.map ? tokens.map((token) => this.map.mark.get(token)).filter((m) => m !== undefined) : [];
  }

  load() {
    const blob = bus.blobs.get(this.data.blob);
    this.find(".waiting").hidden = Boolean(blob || this.map);
    if (!blob) {
      clearTimeout(this.patience);
      this.patience = setTimeout(() => this.complain(this.data.blob), PATIENCE);
      return;
    }
    this.loaded = this.data.blob;
    this.map = decoded(blob);
    this.hovered = null;
    this.spots = new Float32Array(2 * this.map.nTokens);
    this.furnish();
    this.select(this.marksOf(this.tokens), false);
    this.go(Math.min(this.state, this.map.nStates - 1), false);
    this.at = this.state;
    this.resize();
  }

  complain(blob) {
    if (this.data.blob === blob && !bus.blobs.has(blob)) this.component.setTriggerValue("missing", blob);
  }

  furnish() {
    const { map } = this;
    this.find(".layer").max = map.nStates - 1;
    this.find(".play").hidden = this.find(".layers").hidden = map.nStates < 2;
    ticks(this.find(".ticks"), map);
    legend(this.find(".legend"), map);
    wordButtons(this.find(".words"), map);
    this.picture = null;
    this.find(".photo").hidden = !map.picture;
    if (!map.picture) return;
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = URL.createObjectURL(map.picture);
    const image = this.find(".photo img");
    image.onload = () => {
      this.picture = image;
      this.prepare();
      this.list();
    };
    image.src = this.url;
  }

  resize() {
    this.width = this.canvas.clientWidth;
    this.height = this.canvas.clientHeight;
    if (!this.map || !this.width) return;
    this.placed = pixels(this.map, this.width, this.height);
    this.prepare();
  }

  // Sizes, colors and the picture may have changed: everything that is painted is made anew.
  prepare() {
    if (!this.placed) return;
    const ratio = devicePixelRatio || 1;
    this.theme = this.themeNow();
    this.canvas.width = this.width * ratio;
    this.canvas.height = this.height * ratio;
    this.pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.painter = new Painter(this.map, this.picture, this.theme, ratio, this.width);
    this.draw();
  }

  draw() {
    if (!this.painter) return;
    between(this.placed, this.map.nTokens, this.at, this.spots);
    this.pen.clearRect(0, 0, this.width, this.height);
    this.painter.paint(this.pen, {
      spots: this.spots,
      placed: this.placed,
      at: this.at,
      hovered: this.hovered,
      selected: this.selected,
      near: this.near(),
      width: this.width,
      height: this.height,
    });
    if (this.painter.labels.areMoving) this.tick();
  }

  near() {
    const subject = this.selected.at(-1);
    const found = subject === undefined ? null : nearest(this.map, subject, this.state, this.data.nearest);
    return found ? [...found.text, ...found.image] : [];
  }

  // One frame at a time, and none while nothing moves.
  tick() {
    this.frame ||= requestAnimationFrame((now) => {
      this.frame = 0;
      this.glide?.(now);
      this.draw();
      if (this.glide) this.tick();
    });
  }

  // Move to a state; `tell` says that the visitor asked for it, not Python.
  go(state, tell, duration = GLIDE) {
    this.state = state;
    this.name(state);
    this.list();
    const from = this.at;
    let start;
    this.glide = (now) => {
      start ??= now;
      const share = this.calm.matches ? 1 : Math.min(1, (now - start) / duration);
      this.at = from + (state - from) * share * share * (3 - 2 * share);
      if (share < 1) return;
      this.glide = null;
      if (this.playing) this.playOn(start + duration - now);
    };
    this.tick();
    if (tell) this.tell();
  }

  name(state) {
    if (!this.map) return;
    this.find(".layer").value = state;
    this.find(".layer").setAttribute("aria-valuetext", this.map.stateNames[state]);
    this.find(".state-name").textContent = this.map.stateNames[state];
    this.find(".caption").textContent = this.map.captions[state];
    for (const tick of this.find(".ticks").children) {
      tick.classList.toggle("now", Number(tick.dataset.state) === state);
    }
  }

  play() {
    if (this.playing) return this.pause();
    this.playing = true;
    this.playButton("Pause", "M4 2.5h3v11H4zM9 2.5h3v11H9z");
    const atEnd = this.state >= this.map.nStates - 1;
    this.go(atEnd ? 0 : this.state + 1, false, atEnd ? GLIDE : this.pace);
  }

  playOn() {
    if (this.state >= this.map.nStates - 1) {
      this.pause();
      return;
    }
    // With reduced motion the layers follow each other without gliding, at the same pace.
    const { pace } = this;
    const wait = this.calm.matches ? pace : 0.12 * pace;
    this.next = setTimeout(() => this.playing && this.go(this.state + 1, false, pace - wait), wait);
  }

  // ms for each layer while playing
  get pace() {
    return Math.min(STEP, WHOLE_WAY / this.map.nStates);
  }

  pause() {
    clearTimeout(this.next);
    if (!this.playing) return;
    this.playing = false;
    this.playButton("Play", "M4 2.5v11l9-5.5z");
    this.tell();
  }

  playButton(label, shape) {
    this.find(".play span").textContent = label;
    this.find(".play path").setAttribute("d", shape);
    this.find(".play").setAttribute("aria-label", `${label} through the layers`.replace("Pause through", "Pause the way through"));
  }

  select(marks, tell) {
    this.selected = marks;
    this.tokens = marks.map((mark) => this.map.positions[mark]);
    this.frames();
    this.list();
    this.tick();
    if (tell) this.tell();
  }

  // A plain choice replaces, or clears what alone was chosen; with shift it adds or takes away.
  choose(mark, adds) {
    const { selected } = this;
    const others = selected.filter((other) => other !== mark);
    if (adds) return this.select(selected.includes(mark) ? others : [...selected, mark], true);
    return this.select(selected.length === 1 && selected[0] === mark ? [] : [mark], true);
  }

  point(mark, x, y) {
    const tip = this.find(".tip");
    showTip(tip, this.map, this.picture, x === undefined ? null : mark, x, y, this);
    if (mark === this.hovered) return;
    this.hovered = mark;
    this.frames();
    this.tick();
  }

  frames() {
    if (!this.map) return;
    lightWords(this.find(".words"), this);
    if (this.map.picture) frames(this.find(".photo svg"), this.map, { ...this, near: this.near() });
  }

  list() {
    if (!this.map) return;
    this.frames();
    const panel = this.find(".nearest");
    this.hint ??= panel.firstElementChild;
    const subject = this.selected.at(-1);
    if (subject === undefined) return panel.replaceChildren(this.hint);
    const found = nearest(this.map, subject, this.state, this.data.nearest);
    if (!found) return panel.replaceChildren(element("p", LOOKING_UP, "hint"));
    const name = this.map.stateNames[this.state];
    nearestLists(panel, this.map, this.picture, subject, found, name);
  }

  say(mark) {
    const what = `${this.map.texts[mark]}, ${kindOf(this.map, mark)}`;
    this.find(".spoken").textContent = `${what}, ${this.map.stateNames[this.state]}`;
  }

  tell() {
    clearTimeout(this.quiet);
    this.quiet = setTimeout(() => {
      if (this.playing) return;
      const { tokens, state } = this;
      this.sent.push(JSON.stringify([tokens, state]));
      // The time tells Python two equal choices apart, between which it made another itself.
      this.component.setStateValue("chosen", { tokens, state, at: Date.now() });
    }, QUIET);
  }

  listen() {
    const { canvas } = this;
    const ready = (act) => (event) => this.map && act(event);
    this.find(".play").onclick = ready(() => this.play());
    this.find(".png").onclick = ready(() => this.save());
    this.find(".layer").oninput = ready(({ target }) => {
      this.pause();
      this.go(Number(target.value), true);
    });
    canvas.onpointermove = ready((event) => {
      const mark = this.under(event);
      this.point(mark, event.offsetX, event.offsetY);
    });
    canvas.onpointerleave = ready(() => this.point(null));
    canvas.onclick = ready((event) => {
      const mark = this.under(event);
      if (mark !== null) this.choose(mark, event.shiftKey || event.ctrlKey || event.metaKey);
      else this.select([], true);
    });
    canvas.onkeydown = ready((event) => this.press(event));
    canvas.onblur = ready(() => this.point(null));
    this.listenToPanel(ready);
  }

  listenToPanel(ready) {
    const photo = this.find(".photo");
    const patch = ({ clientX, clientY }) => {
      const { left, top, width, height } = photo.getBoundingClientRect();
      return patchAt(this.map, (clientX - left) / width, (clientY - top) / height);
    };
    photo.onpointermove = ready((event) => this.point(patch(event)));
    photo.onpointerleave = ready(() => this.point(null));
    photo.onclick = ready((event) => {
      const mark = patch(event);
      if (mark !== null) this.choose(mark, event.shiftKey);
    });
    for (const group of [this.find(".words"), this.find(".nearest")]) {
      const marked = (act) => (event) => {
        const button = event.target.closest("[data-mark]");
        if (button && this.map) act(Number(button.dataset.mark), event);
      };
      group.onclick = marked((mark, event) => this.choose(mark, event.shiftKey));
      group.onpointerover = group.onfocusin = marked((mark) => this.point(mark));
      group.onpointerleave = group.onfocusout = ready(() => this.point(null));
    }
  }

  under({ offsetX, offsetY }) {
    const reach = Math.max(9, (this.painter?.crops?.side ?? 8) * 0.7);
    return this.spots ? hit(this.map, this.spots, offsetX, offsetY, reach) : null;
  }

  press(event) {
    const { nStates, nTokens } = this.map;
    const last = this.hovered ?? this.selected.at(-1) ?? -1;
    const acts = {
      ArrowRight: () => this.jump(Math.min(nStates - 1, this.state + 1)),
      ArrowLeft: () => this.jump(Math.max(0, this.state - 1)),
      Home: () => this.jump(0),
      End: () => this.jump(nStates - 1),
      ArrowDown: () => this.step((last + 1) % nTokens),
      ArrowUp: () => this.step((Math.max(0, last) - 1 + nTokens) % nTokens),
      Enter: () => this.hovered !== null && this.choose(this.hovered, event.shiftKey),
      Escape: () => (this.point(null), this.select([], true)),
      " ": () => this.play(),
    };
    if (!acts[event.key] || event.altKey || event.metaKey || event.ctrlKey) return;
    event.preventDefault();
    event.stopPropagation();
    acts[event.key]();
  }

  jump(state) {
    this.pause();
    this.go(state, true);
    this.find(".spoken").textContent = this.map.stateNames[state];
  }

  step(mark) {
    this.point(mark, this.spots[2 * mark], this.spots[2 * mark + 1]);
    this.say(mark);
  }

  save() {
    savePicture(this.canvas, this.theme, this.map, `${this.map.title}, ${this.map.stateNames[this.state]}`);
  }
}

// The map as it stands, on the page's background with title and legend, as a PNG file.
function savePicture(source, theme, map, title) {
  const ratio = devicePixelRatio || 1;
  const [canvas, pen] = sheet(source.width / ratio, source.height / ratio, ratio);
  pen.fillStyle = theme.back;
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(source, 0, 0, source.width / ratio, source.height / ratio);
  pen.fillStyle = theme.text;
  pen.font = `600 14px ${theme.font}`;
  pen.fillText(title, 14, 24);
  pen.font = `13px ${theme.font}`;
  let x = 14;
  for (const kind of Object.keys(map.kindNouns).filter((kind) => map.kinds.includes(kind))) {
    outline(pen, kind, x + 5, 41, 5);
    pen.fillStyle = map.colors[kind];
    pen.fill();
    pen.fillStyle = theme.text;
    pen.fillText(map.kindNouns[kind].many, x + 16, 45.5);
    x += 34 + pen.measureText(map.kindNouns[kind].many).width;
  }
  canvas.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = "hidden_states.png";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  });
}
