// From several channels to one, as NeMo's channel_selector says.
import { AnemoneError } from '../errors/index.js';

/** A channel (from 0), the mean of all, or the mean of the listed ones. */
export type ChannelSelector = number | 'average' | readonly number[];

/**
 * The selected channels' mean.
 * @param name file name for the error
 * @throws AnemoneError `audio.channel` when a channel does not exist
 */
export function mixChannels(
  channels: readonly Float32Array[],
  selector: ChannelSelector,
  name?: string,
): Float32Array {
  const chosenChannels =
    selector === 'average' ? channels.map((_, i) => i) : typeof selector === 'number' ? [selector] : selector;
  for (const index of chosenChannels) {
    if (!Number.isInteger(index) || index < 0 || index >= channels.length) throw noChannel(index);
  }
  if (chosenChannels.length === 0) throw noChannel('none');
  if (chosenChannels.length === 1) return channels[chosenChannels[0]];
  const out = new Float32Array(channels[0].length);
  for (let i = 0; i < out.length; i++) {
    let sum = 0;
    for (const index of chosenChannels) sum += channels[index][i];
    out[i] = sum / chosenChannels.length;
  }
  return out;

  function noChannel(index: number | string): AnemoneError {
    return new AnemoneError({
      code: 'audio.channel',
      path: 'channel_selector',
      message: `channel ${index} was asked for, the audio has ${channels.length}`,
      position: name === undefined ? undefined : { file: name },
      hint: 'channels count from 0',
    });
  }
}
