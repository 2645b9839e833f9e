/** Event types and their data: any, or those of a contract. `true` stands for markup of any JSX library. */
export type EventMap = boolean | object;
export type EventType<E extends EventMap> = E extends boolean ? string : keyof E & string;
export type EventData<E extends EventMap, T> = E extends boolean ? unknown : T extends keyof E ? E[T] : never;

/** What follows the type in a `dispatch` with options `O`. Data may be left out only where the event may be without. */
export type DispatchArguments<E extends EventMap, T, O> =
  undefined extends EventData<E, T>
    ? [data?: EventData<E, T>, options?: O | undefined]
    : [data: EventData<E, T>, options?: O | undefined];
