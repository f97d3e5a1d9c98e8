package dev.graft.nn.data.image;

import java.io.IOException;

/**
 * What the markers of a JPEG file say before its first scan (ITU T.81 annex B; Adobe's APP14 marker), which is what decides
 * about the colours.
 *
 * @param precision bits of a sample
 * @param process the frame marker C0..CF: baseline, progressive, lossless...
 * @param ids the components' identifiers, one byte each
 * @param sampling their sampling factors, horizontal in the upper four bits, vertical in the lower
 * @param adobe colour transform of the Adobe marker (0 none, 1 YCbCr, 2 YCCK), -1 without the marker
 * @param jfif whether there is a JFIF marker, which means gray or YCbCr
 * @param scan offset of the first scan
 */
record JpegHeader(int width, int height, int precision, int process, byte[] ids, byte[] sampling, int adobe,
        boolean jfif, int scan) {
    /** Every scan walks over all blocks: a small progressive file with very many of them would keep a core for hours. */
    private static final int MAX_SCANS = 1000;

    static JpegHeader parse(byte[] data) throws IOException {
        int width = 0;
        int height = 0;
        int precision = 0;
        int process = 0;
        byte[] ids = {};
        byte[] sampling = {};
        int adobe = -1;
        boolean jfif = false;
        int at = 2;
        while (at + 3 < data.length) {
            if (data[at] != (byte) 0xFF) {
                at++; // stray bytes between segments: decoders skip them
                continue;
            }
            int marker = data[at + 1] & 0xFF;
            if (marker == 0xFF || marker == 0 || marker == 0x01 || marker >= 0xD0 && marker <= 0xD8) {
                at += marker == 0xFF ? 1 : 2;
                continue;
            }
            if (marker == 0xD9) {
                break;
            }
            if (marker == 0xDA) {
                if (ids.length == 0) {
                    throw new IOException("its first scan comes before the frame header");
                }
                checkScans(data, at);
                return new JpegHeader(width, height, precision, process, ids, sampling, adobe, jfif, at);
            }
            int length = u16(data, at + 2);
            int body = at + 4;
            if (length < 2 || at + 2 + length > data.length) {
                throw new IOException("the file ends inside its header");
            }
            if (marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC && length >= 8) {
                process = marker;
                precision = data[body] & 0xFF;
                height = u16(data, body + 1);
                width = u16(data, body + 3);
                int components = data[body + 5] & 0xFF;
                if (length < 8 + 3 * components) {
                    throw new IOException("its frame header is too short");
                }
                ids = new byte[components];
                sampling = new byte[components];
                for (int i = 0; i < components; i++) {
                    ids[i] = data[body + 6 + 3 * i];
                    sampling[i] = data[body + 7 + 3 * i];
                }
            } else if (marker == 0xEE && length >= 14 && isText(data, body, "Adobe")) {
                adobe = data[body + 11] & 0xFF;
            } else if (marker == 0xE0 && length >= 7 && isText(data, body, "JFIF")) {
                jfif = true;
            }
            at += 2 + length;
        }
        throw new IOException("the file ends before its first scan");
    }

    private static void checkScans(byte[] data, int from) throws IOException {
        int scans = 0;
        for (int i = from; i + 1 < data.length; i++) {
            if (data[i] == (byte) 0xFF && data[i + 1] == (byte) 0xDA && ++scans > MAX_SCANS) {
                throw new IOException("it has more than " + MAX_SCANS + " scans, which no camera or program writes");
            }
        }
    }

    /** Whether the end mark stands behind the first scan; inside of scans it cannot occur. */
    boolean hasEnd(byte[] data) {
        for (int i = data.length - 2; i > scan; i--) {
            if (data[i] == (byte) 0xFF && data[i + 1] == (byte) 0xD9) {
                return true;
            }
        }
        return false;
    }

    int components() {
        return ids.length;
    }

    /** The rule of the JPEG reference library: JFIF, then Adobe's marker, then component names R, G, B. */
    boolean isYCbCr() {
        if (jfif || adobe >= 0) {
            return jfif || adobe != 0;
        }
        return !(ids[0] == 'R' && ids[1] == 'G' && ids[2] == 'B');
    }

    /** Whether the colours have half of the rows but all columns (4:4:0): a turned photo, mostly. */
    boolean halvesRowsOnly() {
        return ids.length == 3 && sampling[0] == 0x12 && sampling[1] == 0x11 && sampling[2] == 0x11;
    }

    boolean isYcck() {
        return adobe == 2;
    }

    private static boolean isText(byte[] data, int at, String text) {
        for (int i = 0; i < text.length(); i++) {
            if (data[at + i] != text.charAt(i)) {
                return false;
            }
        }
        return true;
    }

    private static int u16(byte[] data, int at) {
        return (data[at] & 0xFF) << 8 | data[at + 1] & 0xFF;
    }
}
