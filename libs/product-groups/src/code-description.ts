/** What a stable code tells the person who meets it: one cause and one remedy each (DESIGN 2.4). */
export interface CodeDescription {
  /** What the code says, in one sentence. */
  readonly meaning: string;
  /** Why it came about, in one sentence. */
  readonly cause: string;
  /** What to do about it, in one sentence. */
  readonly remedy: string;
  /** Microsoft's nearest code, such as `0xC004F038`: an aid to administrators, absent where none is near. */
  readonly familiar?: string;
}
