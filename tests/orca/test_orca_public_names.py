"""ORCA: public names and parameters are those of legend-daq2lh5."""

from __future__ import annotations

import importlib
import inspect
import json

import pytest
from kit.writers import orca as writer

from daq2lh5.orca import orca_fcio, orca_flashcam
from daq2lh5.orca.orca_header import OrcaHeader
from daq2lh5.orca.orca_streamer import OrcaStreamer

API = """
orca_base
    OrcaDecoder.__init__: self header kwargs
    OrcaDecoder.set_header: self header
    get_card: ccc
    get_ccc: crate card channel
    get_channel: ccc
    get_crate: ccc
orca_digitizers
    ORSIS3302DecoderForEnergy.__init__: self header kwargs
    ORSIS3302DecoderForEnergy.decode_packet: self packet packet_id rbl
    ORSIS3302DecoderForEnergy.get_decoded_values: self key
    ORSIS3302DecoderForEnergy.get_key_lists: self
    ORSIS3302DecoderForEnergy.set_header: self header
    ORSIS3316WaveformDecoder.__init__: self header kwargs
    ORSIS3316WaveformDecoder.decode_packet: self packet packet_id rbl
    ORSIS3316WaveformDecoder.get_decoded_values: self key
    ORSIS3316WaveformDecoder.get_key_lists: self
    ORSIS3316WaveformDecoder.set_header: self header
orca_fcio
    ORFCIOConfigDecoder.__init__: self header kwargs
    ORFCIOConfigDecoder.decode_packet: self packet packet_id rbl
    ORFCIOConfigDecoder.get_decoded_values: self key
    ORFCIOConfigDecoder.get_key_lists: self
    ORFCIOConfigDecoder.set_header: self header
    ORFCIOEventDecoder.__init__: self header kwargs
    ORFCIOEventDecoder.decode_packet: self packet packet_id rbl
    ORFCIOEventDecoder.get_decoded_values: self key
    ORFCIOEventDecoder.get_key_lists: self
    ORFCIOEventDecoder.get_max_rows_in_packet: self
    ORFCIOEventDecoder.set_header: self header
    ORFCIOEventHeaderDecoder.__init__: self header kwargs
    ORFCIOEventHeaderDecoder.decode_packet: self packet packet_id rbl
    ORFCIOEventHeaderDecoder.get_decoded_values: self key
    ORFCIOEventHeaderDecoder.get_key_lists: self
    ORFCIOEventHeaderDecoder.set_header: self header
    ORFCIOStatusDecoder.__init__: self header kwargs
    ORFCIOStatusDecoder.decode_packet: self packet packet_id rbl
    ORFCIOStatusDecoder.get_decoded_values: self key
    ORFCIOStatusDecoder.get_key_lists: self
    ORFCIOStatusDecoder.get_max_rows_in_packet: self
    ORFCIOStatusDecoder.set_header: self header
    extract_header_information: header
    get_fcio_stream: streamid
orca_flashcam
    ORFlashCamADCWaveformDecoder.__init__: self header kwargs
    ORFlashCamListenerConfigDecoder.__init__: self header kwargs
    ORFlashCamListenerConfigDecoder.decode_packet: self packet packet_id rbl
    ORFlashCamListenerConfigDecoder.get_decoded_values: self key
    ORFlashCamListenerStatusDecoder.__init__: self header kwargs
    ORFlashCamListenerStatusDecoder.decode_packet: self packet packet_id rbl
    ORFlashCamListenerStatusDecoder.get_decoded_values: self key
    ORFlashCamWaveformDecoder.__init__: self header kwargs
    ORFlashCamWaveformDecoder.assert_nsamples: self nsamples fcid
    ORFlashCamWaveformDecoder.decode_packet: self packet packet_id rbl
    ORFlashCamWaveformDecoder.get_decoded_values: self key
    ORFlashCamWaveformDecoder.get_key_lists: self
    ORFlashCamWaveformDecoder.set_header: self header
    get_board_id: key
    get_fc_input: key
    get_fcid: key
    get_key: fcid board_id fc_input
orca_header
    OrcaHeader.__init__: self jsons lgdo_scalar
    OrcaHeader.get_auxhw_info: self orca_class_name unique_id
    OrcaHeader.get_decoder_list: self
    OrcaHeader.get_id_to_decoder_name_dict: self shift_data_id
    OrcaHeader.get_object_info: self orca_class_name
    OrcaHeader.get_readout_info: self orca_class_name unique_id
    OrcaHeader.get_run_number: self
    OrcaHeader.set_from_lgdo: self lgdo_scalar
orca_header_decoder
    OrcaHeaderDecoder.__init__: self header kwargs
    OrcaHeaderDecoder.decode_packet: self packet packet_id rbl
    OrcaHeaderDecoder.make_lgdo: self key size
orca_packet
    get_data_id: packet shift
    get_n_words: packet
    hex_dump: packet shift_data_id print_n_words max_words as_int as_short id_dict
        use_logging return_output
    is_extended: packet
    is_short: packet
orca_run_decoder
    ORRunDecoderForRun.__init__: self header kwargs
    ORRunDecoderForRun.decode_packet: self packet packet_id rbl
    ORRunDecoderForRun.get_decoded_values: self key
orca_streamer
    OrcaStreamer.__init__: self
    OrcaStreamer.build_packet_locs: self saveloc
    OrcaStreamer.close_in_stream: self
    OrcaStreamer.close_stream: self
    OrcaStreamer.count_packets: self saveloc
    OrcaStreamer.get_decoder_list: self
    OrcaStreamer.hex_dump: self stream_name n_packets skip_header shift_data_id
        print_n_words max_words as_int as_short
    OrcaStreamer.is_orca_stream: stream_name
    OrcaStreamer.load_packet: self index whence skip_unknown_ids
    OrcaStreamer.load_packet_header: self
    OrcaStreamer.open_stream: self stream_name rb_lib buffer_size chunk_mode
        out_stream
    OrcaStreamer.read_packet: self
    OrcaStreamer.set_in_stream: self stream_name
    OrcaStreamer.skip_packet: self n
"""
"""Modules, their functions and methods, and the names of the parameters."""


def members() -> list[tuple[str, str, list[str]]]:
    found = []
    module = ""
    for line in API.strip().splitlines():
        if not line.startswith(" "):
            module = line
        elif line.startswith("        "):
            found[-1][2].extend(line.split())
        else:
            path, _, parameters = line.strip().partition(":")
            found.append((module, path, parameters.split()))
    return found


@pytest.mark.parametrize(("module", "path", "parameters"), members())
def test_parameters(module, path, parameters):
    """What we added can be given by keyword only."""
    member = importlib.import_module(f"daq2lh5.orca.{module}")
    for name in path.split("."):
        member = getattr(member, name)
    found = inspect.signature(member).parameters.values()
    assert [p.name for p in found if p.kind is not p.KEYWORD_ONLY] == parameters


# --- attributes that scripts look into ----------------------------------------------


@pytest.fixture(scope="module")
def header():
    """Two listeners with a card each; the second has no stream processor."""
    run = writer.Run(
        kinds="fcio", listeners=2, n_channels=2, fcio_options={"fsp": True}
    )
    plist = run.plist()
    plist["ObjectInfo"]["AuxHw"][1]["fspEnabled"] = False
    return OrcaHeader(json.dumps(plist))


KEYS = {1: [1027200, 1027201], 2: [2052800, 2052801]}


def test_what_a_header_says_of_listeners(header):
    assert orca_fcio.extract_header_information(header) == {
        "key_list": KEYS,
        "n_adc": {1: 2, 2: 2},
        "n_card": {1: 1, 2: 1},
        "adc_card_layout": {1: {272: (0, 0, 272)}, 2: {528: (1, 0, 528)}},
        "wf_len": {1: 200, 2: 200},
        "fsp_enabled": {1: True, 2: False},
    }


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("ORFlashCamADCWaveformDecoder", (0x3C00, 10, 0x3FF)),
        ("ORFlashCamWaveformDecoder", (0x3E00, 9, 0x1FF)),
    ],
)
def test_attributes_of_decoders_of_traces(name, bits, header):
    decoder = getattr(orca_flashcam, name)(header)
    assert decoder.key_list == KEYS
    assert decoder.n_adc == {1: 2, 2: 2}
    assert decoder.fcid == {0: {0: 1}, 1: {0: 2}}
    assert decoder.board_id == {0: {0: 272}, 1: {0: 528}}
    found = decoder.fc_input_mask, decoder.fc_input_shift, decoder.channel_mask
    assert found == bits


def test_attributes_of_decoders_of_fcio(header):
    """Their forms differ: so they always did."""
    events = orca_fcio.ORFCIOEventDecoder(header)
    assert events.key_list == [KEYS[1], ["swtid_1/event"], KEYS[2]]
    assert events.max_rows_in_packet == 2
    assert [*events.decoded_values] == [1, "swtid", 2]
    assert events.decoded_values[2]["waveform"]["wf_len"] == 200
    assert events.get_decoded_values() is events.decoded_values[1]

    status = orca_fcio.ORFCIOStatusDecoder(header)
    assert status.key_list == [
        ["fcid_1/status/card0", "fcid_1/status/card8192"],
        ["swtid_1/status"],
        ["fcid_2/status/card0", "fcid_2/status/card8192"],
    ]
    assert status.max_rows_in_packet == 2

    config = orca_fcio.ORFCIOConfigDecoder(header)
    assert config.key_list == {
        "fc_config": ["fcid_1/config", "fcid_2/config"],
        "fsp_config": ["swtid_1/config"],
    }
    headers = orca_fcio.ORFCIOEventHeaderDecoder(header)
    assert headers.key_list == {
        "fc_eventheader": ["fcid_1/evt_hdr", "fcid_2/evt_hdr"],
        "fsp_eventheader": ["swtid_1/evt_hdr"],
    }
    for decoder in (config, headers):
        assert decoder.max_rows_in_packet == 1
    for decoder in (config, headers, status):
        assert [*decoder.decoded_values] == ["fcid", "swtid"]


def test_ids_of_missing_decoders(tmp_path):
    path = tmp_path / "run.orca"
    path.write_bytes(writer.make_stream(kinds="unknown"))
    streamer = OrcaStreamer()
    streamer.open_stream(str(path))
    names = ("ORUnheardOfDecoderForLong", "ORUnheardOfDecoderForShort")
    wanted = {writer.DATA_IDS[name] for name in names}
    assert set(streamer.missing_decoders) == wanted
    assert not wanted & streamer.decoder_id_dict.keys()
    assert wanted < streamer.valid_ids
    streamer.close_stream()
