/**
 * Where the largest of many numbers stand.
 */

/**
 * The places of the `most` largest of `numbers` above `least`, but for those among `others`, the largest first, ties to
 * the smaller place. Cost: one comparison for a number that is not among them.
 */
export function placesOfLargest(
  numbers: Float64Array,
  most: number,
  { least = 0, others }: { readonly least?: number; readonly others?: ReadonlySet<number> } = {},
): number[] {
  const places: number[] = [];
  for (let i = 0; i < numbers.length; i++) {
    const value = numbers[i];
    if (!(value > least) || (places.length === most && value <= numbers[places[most - 1]])) continue;
    if (others?.has(i) === true) continue;
    let at = places.length;
    while (at > 0 && numbers[places[at - 1]] < value) at--;
    places.splice(at, 0, i);
    if (places.length > most) places.pop();
  }
  return places;
}
