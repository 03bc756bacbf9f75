// What the benchmark adds to the page.
interface Window {
  /** See freshness.mjs: when each value was painted. */
  bench: {
    expect(value: number): void;
    complete(): number;
    shown(): Record<number, { chart?: number; number?: number }>;
  };
  /** See first-load.mjs: milliseconds of each interaction, by its number. */
  interactions: Record<number, number>;
}
