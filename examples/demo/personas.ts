/** The name and color of a window. It is part of the window's address, so that a reload keeps it. */
export interface Persona {
  /** The id in the address: `quiet-heron`. */
  readonly id: string;
  /** The displayed name: `Quiet Heron`. */
  readonly name: string;
  /** Degrees on the color wheel. */
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

/** Animals, each with its hue. */
const animals: Readonly<Record<string, number>> = {
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

/** Chooses a persona whose color is as far as possible from those in use. */
export function choosePersona(taken: readonly Persona[]): Persona {
  const distance = (hue: number): number => Math.min(...taken.map((other) => hueDistance(hue, other.hue)));
  const farthest = Math.max(...Object.values(animals).map(distance));
  const choice = Object.keys(animals).filter((animal) => distance(animals[animal] as number) === farthest);
  const isTaken = ({ id }: Persona): boolean => taken.some((other) => other.id === id);
  const free = moods.flatMap((mood) => choice.map((animal) => persona(mood, animal))).filter((one) => !isTaken(one));
  return free.length > 0 ? any(free) : persona(any(moods), any(choice));
}

/** The persona for an id in an address, or `null` if the id is invalid. */
export function findPersona(id: string | null): Persona | null {
  const [mood = "", animal = "", ...rest] = id?.split("-") ?? [];
  return rest.length === 0 && moods.includes(mood) && Object.hasOwn(animals, animal) ? persona(mood, animal) : null;
}

function persona(mood: string, animal: string): Persona {
  return { id: `${mood}-${animal}`, name: `${capital(mood)} ${capital(animal)}`, hue: animals[animal] as number };
}

function hueDistance(one: number, other: number): number {
  const difference = Math.abs(one - other);
  return Math.min(difference, 360 - difference);
}

function any<T>(list: readonly T[]): T {
  return list[Math.floor(Math.random() * list.length)] as T;
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
