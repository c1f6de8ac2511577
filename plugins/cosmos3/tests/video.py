"""A small moving picture whose bytes differ with its seed."""


def encode(path, frames, width, height, fps, seed):
    import av
    import numpy as np

    tile = max(8, width // 16)
    random = np.random.default_rng(seed)
    tiles = random.integers(30, 226, (height // tile + 1, width // tile + 1, 3), dtype=np.uint8)
    picture = tiles.repeat(tile, 0).repeat(tile, 1)[:height, :width]
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as file:
        stream = file.add_stream("libx264", rate=fps, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(frames):
            moved = np.ascontiguousarray(np.roll(picture, index * 4, axis=1))
            file.mux(stream.encode(av.VideoFrame.from_ndarray(moved, format="rgb24")))
        file.mux(stream.encode(None))
