/**
 * Images of bytes with their classes, as files of images and generators give them.
 */

/** n images of `channels` · height · width bytes each. */
export interface LabeledImages {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** What the labels stand for: class k is called classes[k]. */
  readonly classes: readonly string[];
  /** labels[i] is the class of image i. */
  readonly labels: Int32Array;
  /**
   * Image after image, each channel by channel, each channel row by row from the top: pixel (x, y) of channel c of
   * image i is pixels[((i·channels + c)·height + y)·width + x]. 0 is black, 255 full.
   */
  readonly pixels: Uint8Array;
}
