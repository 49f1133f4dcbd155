// The page's own store of bytes, which all came with it.
const bus = { blobs: new Map(), target: new EventTarget() };
