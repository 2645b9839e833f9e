// The positions at which the channels of one stream begin, where these are two.
import type { ChannelSelection, LogEntry, Position } from "../../log/log.ts";
import { type ChannelMatcher, compileSelection } from "../../log/selection.ts";

/**
 * The held channels of a client that shares a connection resume at its cursor, and the joining ones begin on their own. The
 * stream starts at the lower position and is in the order of the log; up to the higher one it has the entries of one group
 * only. From there on, all channels are alike.
 */
export class Starts {
  readonly held: Position;
  readonly joined: Position;
  readonly isHeld: ChannelMatcher;

  /** @param selection The held channels. A channel that is one of them does not join, whatever prefix joins. */
  constructor(selection: ChannelSelection, held: Position, joined: Position) {
    this.isHeld = compileSelection(selection);
    this.held = held;
    this.joined = joined;
  }

  /** Where the stream starts: everything after it is sent, or left out because one of the groups has it. */
  get lower(): Position {
    return this.held.offset < this.joined.offset ? this.held : this.joined;
  }

  /** From here on, all channels are alike. */
  get higher(): Position {
    return this.held.offset < this.joined.offset ? this.joined : this.held;
  }

  /** Whether the client has an entry, as an event or as a part of a state, although the stream reaches it only now. */
  includes({ channel, offset }: LogEntry): boolean {
    return offset <= (this.isHeld(channel) ? this.held : this.joined).offset;
  }
}
