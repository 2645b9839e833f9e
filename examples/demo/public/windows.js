// A browser opens at most six connections to one host over HTTP/1.1, for all of its windows together. Each window's stream
// takes one; this shares out what is left to the windows that would like to show their bytes.
const limit = 6;
/** One stays free for pages and posts. */
const spare = 1;

const me = `${performance.timeOrigin}-${Math.random()}`;
const others = new BroadcastChannel("windows");
const forever = new Promise(() => {});
/** Ends the wish of this window for a second connection. */
let withdraw = null;

/** Calls back with true or false whenever it becomes right or wrong for this window to open a second connection. */
export function shareConnections(onChange) {
  // Over plain HTTP from another machine browsers have no locks: such a window is taken to be the only one.
  if (!navigator.locks) return onChange(true);
  let allowed = null;
  const review = async () => {
    const { held } = await navigator.locks.query();
    const count = (prefix) => held.filter(({ name }) => name.startsWith(prefix)).length;
    const wishes = held
      .map(({ name }) => name)
      .filter((name) => name.startsWith("wish "))
      .sort();
    const place = wishes.indexOf(`wish ${me}`);
    const isAllowed = place !== -1 && place < limit - spare - count("window ");
    if (isAllowed === allowed) return;
    allowed = isAllowed;
    onChange(allowed);
  };
  const changed = () => {
    review();
    others.postMessage("changed");
  };
  const wish = () => {
    withdraw?.();
    // A window that nobody sees has no need for it.
    if (document.hidden) return changed();
    navigator.locks.request(`wish ${me}`, () => {
      changed();
      return new Promise((resolve) => {
        withdraw = resolve;
      });
    });
  };
  navigator.locks.request(`window ${me}`, () => forever);
  others.addEventListener("message", review);
  // A window that was killed says nothing, but the server sees it and tells all.
  document.body.addEventListener("htmx:sseMessage", ({ detail }) => detail.type === "people" && review());
  document.addEventListener("visibilitychange", wish);
  wish();
}
