// How long the tabs of a browser wait for each other.

/** How long a new leader waits for the channels of the other tabs. */
export const gatherMs = 50;
/** Without a message for this long, a tab asks whether the leader is there. */
export const silentMs = 20_000;
/** A leader that does not answer in this time is frozen: another tab takes its lock. */
export const answerMs = 3_000;
/** How long a tab waits for a worker to lead before it stands for election itself. */
export const workerMs = 1_000;
/** A tab that waits for an answer of the leader asks again after this time. */
export const askAgainMs = 1_000;
/** How long to wait after a component is removed: if it is added again in that time, nothing changes. */
export const lingerMs = 1_000;
/** How long a worker waits for the first tab. */
export const workerLingerMs = 10_000;
