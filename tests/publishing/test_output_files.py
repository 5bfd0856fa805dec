"""Files beside an output, and paths that stay out of it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import h5py
import pytest
from kit.writers import fcio, orca

import daq2lh5
from daq2lh5.publishing.output_files import OutputFiles
from daq2lh5.report import ConversionReport

OLDER = b"\x89HDF\r\n\x1a\nolder"


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


class TestBeside:
    """A further file, such as the garbage, is published with the first."""

    def test_it_is_published_together(self, tmp_path):
        with OutputFiles(overwrite=False) as outputs:
            outputs.writer_of(str(tmp_path / "x.lh5"))
            writer = outputs.writer_beside(".garbage")
            assert outputs.writer_beside(".garbage") is writer
            writer.file.create_dataset("a", data=1)
            assert all(name.startswith(".") for name in names(tmp_path))
            report = ConversionReport()
            outputs.finish(report)
        assert names(tmp_path) == ["x.lh5", "x.lh5.garbage"]
        assert [Path(o).name for o in report.outputs] == names(tmp_path)
        with h5py.File(tmp_path / "x.lh5.garbage") as f:
            assert f["a"][()] == 1
            assert "daq2lh5_report" in f.attrs

    @pytest.mark.parametrize("content", [OLDER, b"mine"])
    @pytest.mark.parametrize("overwrite", [False, True])
    def test_one_that_exists(self, tmp_path, content, overwrite):
        """The same rule as for all outputs."""
        (tmp_path / "x.lh5.garbage").write_bytes(content)
        outputs = OutputFiles(overwrite)
        with outputs:
            outputs.writer_of(str(tmp_path / "x.lh5"))
            if overwrite and content is OLDER:
                outputs.writer_beside(".garbage")
                outputs.finish(ConversionReport())
            else:
                with pytest.raises(FileExistsError, match="garbage"):
                    outputs.writer_beside(".garbage")
        assert ((tmp_path / "x.lh5.garbage").read_bytes() == content) != (
            overwrite and content is OLDER
        )

    def test_an_older_one_goes_with_what_it_went_with(self, tmp_path):
        """An old garbage file would belong to another run."""
        for name in ("x.lh5", "x.lh5.garbage", "y.lh5.garbage"):
            (tmp_path / name).write_bytes(OLDER)
        with OutputFiles(overwrite=True) as outputs:
            outputs.writer_of(str(tmp_path / "x.lh5"))
            outputs.drop_beside(".garbage")
            assert (tmp_path / "x.lh5.garbage").exists()
            outputs.finish(ConversionReport())
        assert names(tmp_path) == ["x.lh5", "y.lh5.garbage"]

    def test_a_failure_leaves_the_older_one(self, tmp_path, monkeypatch):
        for name in ("x.lh5", "x.lh5.garbage"):
            (tmp_path / name).write_bytes(OLDER)
        unlink = os.unlink

        def fail(path, **kwargs):
            if str(path).endswith(".garbage"):
                raise OSError(5, os.strerror(5), str(path))
            unlink(path, **kwargs)

        with OutputFiles(overwrite=True) as outputs:
            outputs.writer_of(str(tmp_path / "x.lh5"))
            outputs.drop_beside(".garbage")
            with monkeypatch.context() as m:
                m.setattr(os, "unlink", fail)
                with pytest.raises(OSError, match="garbage"):
                    outputs.finish(ConversionReport())
        assert names(tmp_path) == ["x.lh5", "x.lh5.garbage"]
        for name in names(tmp_path):
            assert (tmp_path / name).read_bytes() == OLDER

    @pytest.mark.parametrize("content", [None, b"mine"])
    def test_there_is_none_to_go(self, tmp_path, content):
        if content is not None:
            (tmp_path / "x.lh5.garbage").write_bytes(content)
        with OutputFiles(overwrite=True) as outputs:
            outputs.writer_of(str(tmp_path / "x.lh5"))
            if content is None:
                outputs.drop_beside(".garbage")
            else:
                with pytest.raises(FileExistsError, match="not an LH5"):
                    outputs.drop_beside(".garbage")


class TestPaths:
    """An output is independent of the input's path."""

    def test_damaged_header_in_mid_file(self, tmp_path):
        header = orca.header_packet(orca.header())
        broken = header[:8] + b"<plist>" + header[15:]
        data = b"".join([header, orca.run(5), broken, orca.run(6)])
        contents = set()
        for folder in ("here", "elsewhere/deep"):
            source = tmp_path / folder / "run.orca"
            source.parent.mkdir(parents=True)
            source.write_bytes(data)
            os.utime(source, (0, 0))
            report = daq2lh5.build_raw(source)
            assert report.n_damage
            out = source.with_suffix(".lh5")
            contents.add(out.read_bytes())
            assert str(tmp_path).encode() not in out.read_bytes()
        assert len(contents) == 1

    @pytest.mark.parametrize("form", ["{}", "{}: bad", "in {} there is"])
    def test_texts_of_a_report(self, tmp_path, form):
        report = ConversionReport(source=str(tmp_path / "run.fcio"))
        report.note(form.format(report.source))
        report.add_damaged(0, 5, "corrupt", form.format(report.source))
        report.container_error = form.format(report.source)
        text = report.as_attribute("x.lh5")
        assert str(tmp_path) not in text
        assert json.loads(text)["n_damage"] == 1

    def test_a_cut_file(self, tmp_path):
        data = fcio.make_stream(3, n_channels=2, n_samples=9)[:-7]
        (tmp_path / "run.fcio").write_bytes(data)
        daq2lh5.build_raw(tmp_path / "run.fcio")
        assert str(tmp_path).encode() not in (tmp_path / "run.lh5").read_bytes()
