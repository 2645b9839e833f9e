/** What a window is called and coloured. It is in the window's address, so that a reload keeps it. */
export interface Persona {
  /** As in the address: `quiet-heron`. */
  readonly id: string;
  /** As people see it: `Quiet Heron`. */
  readonly name: string;
  /** Degrees on the colour wheel. */
  readonly hue: number;
}

const moods = [
  "brave",
  "calm",
  "curious",
  "gentle",
  "jolly",
  "lucky",
  "merry",
  "nimble",
  "patient",
  "quiet",
  "sunny",
  "witty",
];

/** Neighbours in this list have hues far apart. */
const animals: Record<string, number> = {
  heron: 235,
  otter: 25,
  lynx: 150,
  magpie: 310,
  badger: 75,
  puffin: 190,
  squirrel: 45,
  dragonfly: 270,
  hedgehog: 120,
  salmon: 5,
  firefly: 95,
  octopus: 340,
};

/** One whose animal, and so whose colour, is not taken yet, as long as there is one. */
export function choosePersona(taken: Iterable<Persona>): Persona {
  const inUse = new Set(Array.from(taken, ({ id }) => id.split("-")[1]));
  const names = Object.keys(animals);
  const free = names.filter((animal) => !inUse.has(animal));
  return persona(any(moods), any(free.length > 0 ? free : names));
}

/** The persona of an id out of an address, or `null` if it is none. */
export function findPersona(id: string | null): Persona | null {
  const [mood = "", animal = "", ...rest] = id?.split("-") ?? [];
  return rest.length === 0 && moods.includes(mood) && Object.hasOwn(animals, animal) ? persona(mood, animal) : null;
}

function persona(mood: string, animal: string): Persona {
  return { id: `${mood}-${animal}`, name: `${capital(mood)} ${capital(animal)}`, hue: animals[animal] as number };
}

function any(list: readonly string[]): string {
  return list[Math.floor(Math.random() * list.length)] as string;
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
