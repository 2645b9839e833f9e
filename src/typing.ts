/** Event types and their data: any, or those of a contract. `true` stands for markup of any JSX library. */
export type Events = boolean | object;
export type TypeOf<E extends Events> = E extends boolean ? string : keyof E & string;
export type DataOf<E extends Events, T> = E extends boolean ? unknown : T extends keyof E ? E[T] : never;

/** What follows the type in a `dispatch` with options `O`. Data may be left out only where the event may be without. */
export type DispatchArguments<E extends Events, T, O> =
  undefined extends DataOf<E, T>
    ? [data?: DataOf<E, T>, options?: O | undefined]
    : [data: DataOf<E, T>, options?: O | undefined];
