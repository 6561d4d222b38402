// Which writing system a character belongs to, as a small number, from the JavaScript engine's Unicode
// tables. Kana counts as Han, since Japanese words mix them.

const names =
  'Latin Common Cyrillic Greek Han Hiragana Katakana Hangul Arabic Hebrew Inherited Devanagari Bengali Thai Armenian Georgian Tamil Telugu Kannada Malayalam Gujarati Gurmukhi Oriya Sinhala Lao Tibetan Myanmar Ethiopic Cherokee Canadian_Aboriginal Ogham Runic Khmer Mongolian Bopomofo Yi Old_Italic Gothic Deseret Tagalog Hanunoo Buhid Tagbanwa Limbu Tai_Le Linear_B Ugaritic Shavian Osmanya Cypriot Braille Buginese Coptic New_Tai_Lue Glagolitic Tifinagh Syloti_Nagri Old_Persian Kharoshthi Balinese Cuneiform Phoenician Phags_Pa Nko Sundanese Lepcha Ol_Chiki Vai Saurashtra Kayah_Li Rejang Lycian Carian Lydian Cham Tai_Tham Tai_Viet Avestan Egyptian_Hieroglyphs Samaritan Lisu Bamum Javanese Meetei_Mayek Imperial_Aramaic Old_South_Arabian Inscriptional_Parthian Inscriptional_Pahlavi Old_Turkic Kaithi Batak Brahmi Mandaic Chakma Meroitic_Cursive Meroitic_Hieroglyphs Miao Sharada Sora_Sompeng Takri Syriac Thaana Caucasian_Albanian Bassa_Vah Duployan Elbasan Grantha Khojki Khudawadi Linear_A Mahajani Manichaean Mende_Kikakui Modi Mro Nabataean Old_North_Arabian Old_Permic Pahawh_Hmong Palmyrene Pau_Cin_Hau Psalter_Pahlavi Siddham Tirhuta Warang_Citi Ahom Anatolian_Hieroglyphs Hatran Multani Old_Hungarian SignWriting Adlam Bhaiksuki Marchen Newa Osage Tangut Masaram_Gondi Nushu Soyombo Zanabazar_Square'.split(
    ' ',
  );
const patterns = names.map((name) => new RegExp(`^\\p{Script=${name}}$`, 'u'));
const COMMON = names.indexOf('Common');
const HAN = names.indexOf('Han');
const INHERITED = names.indexOf('Inherited');
const cache = new Map<number, number>();

/** Takes on the script of the character before it. */
export const inheritedScript = INHERITED;

/** The script's number; unassigned characters count as common. */
export function scriptOf(codePoint: number): number {
  let script = cache.get(codePoint);
  if (script === undefined) {
    const character = String.fromCodePoint(codePoint);
    const index = patterns.findIndex((pattern) => pattern.test(character));
    script = index < 0 ? COMMON : index;
    // U+30FC, the long vowel mark, goes with kana.
    if (names[script] === 'Hiragana' || names[script] === 'Katakana' || codePoint === 0x30fc) script = HAN;
    cache.set(codePoint, script);
  }
  return script;
}
