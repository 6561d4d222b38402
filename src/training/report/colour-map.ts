// A perceptually even colour scale from dark blue over green to yellow (viridis, by linear pieces).

const STOPS: readonly (readonly [number, number, number])[] = [
  [68, 1, 84],
  [71, 44, 122],
  [59, 81, 139],
  [44, 113, 142],
  [33, 144, 141],
  [39, 173, 129],
  [92, 200, 99],
  [170, 220, 50],
  [253, 231, 37],
];

/** RGB bytes of a value from 0 to 1. */
export function colourOf(value: number): readonly [number, number, number] {
  const place = Math.min(Math.max(value, 0), 1) * (STOPS.length - 1);
  const i = Math.min(Math.floor(place), STOPS.length - 2);
  const share = place - i;
  const mix = (c: number) => Math.round(STOPS[i][c] * (1 - share) + STOPS[i + 1][c] * share);
  return [mix(0), mix(1), mix(2)];
}
