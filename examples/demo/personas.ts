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

/** With the hue of each. */
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

/** One whose colour is as far as can be from those that are taken. */
export function choosePersona(taken: readonly Persona[]): Persona {
  const distance = (hue: number): number => Math.min(...taken.map((other) => hueDistance(hue, other.hue)));
  const farthest = Math.max(...Object.values(animals).map(distance));
  const choice = Object.keys(animals).filter((animal) => distance(animals[animal] as number) === farthest);
  return persona(any(moods), any(choice));
}

/** The persona of an id out of an address, or `null` if it is none. */
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

function any(list: readonly string[]): string {
  return list[Math.floor(Math.random() * list.length)] as string;
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
