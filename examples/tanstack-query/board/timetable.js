// The trains of a station that does not exist.
const cities =
  "Lisboa Wien København Milano Praha Marseille Hamburg Warszawa Zürich Budapest Bruxelles Ljubljana Torino Gdańsk Bergen Porto";
/** Each line has destinations of its own, so none is on the board twice. */
const destinationsOf = (line) => cities.split(" ").filter((_, index) => index % 8 === line);
const kinds = ["EC", "IC", "NJ", "TGV"];
const minute = 60_000;

const pick = (list) => list[Math.floor(Math.random() * list.length)];
const between = (low, high) => low + Math.floor(Math.random() * (high - low + 1));

/** The next train of a line of the board. */
export function nextTrain(line) {
  const departs = Math.ceil(Date.now() / minute) * minute + between(2, 50) * minute;
  const name = `${pick(kinds)} ${between(100, 899)}`;
  return { line, name, to: pick(destinationsOf(line)), departs, platform: between(1, 12), delay: 0, state: "on time" };
}

/** Something happens to a train: it leaves, it is late, it moves to another platform. */
export function changeTrain(train) {
  if (train.state === "boarding" || train.state === "cancelled") return nextTrain(train.line);
  const chance = Math.random();
  if (chance < 0.3) return { ...train, state: "boarding" };
  if (chance < 0.35) return { ...train, state: "cancelled" };
  if (chance < 0.6) return { ...train, platform: (train.platform % 12) + 1 };
  return { ...train, state: "delayed", delay: train.delay + 5 };
}
