// The types of events and their data, as a contract or its absence decides them.

/** The data of events by event type. `false` allows any event; `true` allows any, with data that `render` turns into markup. */
export type EventMap = boolean | object;
/** The event types of `E`. */
export type EventType<E extends EventMap> = E extends boolean ? string : keyof E & string;
/** The data of the events of the type `T`. */
export type EventData<E extends EventMap, T> = E extends boolean ? unknown : T extends keyof E ? E[T] : never;

/** The arguments of `dispatch` after the type. `data` is optional only if `undefined` is valid data for the type. */
export type DispatchArguments<E extends EventMap, T, O> =
  undefined extends EventData<E, T>
    ? [data?: EventData<E, T>, options?: O | undefined]
    : [data: EventData<E, T>, options?: O | undefined];
