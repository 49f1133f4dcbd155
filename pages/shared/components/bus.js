// Bytes that Python sent once and that every component of the page may read; "blob" says what came.
const bus = (globalThis.__vl ??= { blobs: new Map(), target: new EventTarget() });
