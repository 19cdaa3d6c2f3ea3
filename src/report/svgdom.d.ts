/** What is used of svgdom, which has no types of its own. */
declare module 'svgdom' {
  /** A document of SVG, in which elements are made and written. */
  export function createSVGWindow(): { readonly document: object };
}
