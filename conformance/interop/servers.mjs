// What the servers have in common: how connections were closed that their targets named, "CODE REASON".

const closings = new Map();

/** Returns a promise of how the connection of this name is closed, and what resolves it. */
export function closing(name) {
  if (!closings.has(name)) {
    const waiting = {};
    waiting.promise = new Promise((resolve) => { waiting.resolve = resolve; });
    closings.set(name, waiting);
  }
  return closings.get(name);
}
