// Images [N, H, W, C] of which a thread computes neighbouring channels of one pixel.

/** Item i of [N, height, width, vectors]. */
struct Pixel { i64 image; i32 h, w, v; };

template <class C> __device__ __forceinline__ Pixel pixel_of(C i, i32 height, i32 width, i32 vectors) {
    Pixel p;
    C q = i / (C) vectors;
    p.v = (i32) (i - q * (C) vectors);
    C r = q / (C) width;
    p.w = (i32) (q - r * (C) width);
    C n = r / (C) height;
    p.h = (i32) (r - n * (C) height);
    p.image = (i64) n;
    return p;
}
