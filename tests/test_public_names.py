"""The peer's public names: modules, classes, functions and their parameters.

Scripts written for legend-daq2lh5 1.7.1 must run unchanged, so the names below are
written out, as the peer has them, rather than taken from the package.
"""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest

import daq2lh5

API: dict[str, dict[str, list[str] | dict[str, list[str]]]] = {
    "daq2lh5.build_raw": {
        "build_raw": [
            *("in_stream", "in_stream_type", "out_spec", "buffer_size", "n_max"),
            *("overwrite", "compass_config_file", "hdf5_settings", "db_dict"),
            "kwargs",
        ],
        "get_streamer": ["in_stream", "in_stream_type", "compass_config_file"],
        "open_stream": [
            *("in_stream", "in_stream_type", "compass_config_file", "open_kwargs"),
        ],
        "sizeof_fmt": ["num", "suffix"],
    },
    "daq2lh5.buffer_processor.buffer_processor": {
        "buffer_processor": ["rb", "db_dict"],
        "process_drop": ["rb", "tmp_table"],
        "process_dsp": ["rb", "tmp_table", "db_dict"],
        "process_dtype_conv": ["rb", "tmp_table"],
        "process_window": ["rb", "tmp_table"],
        "process_windowed_t0": ["t0s", "dts", "start_index"],
        "window_array_of_arrays": [
            *("array_of_arrays", "window_start_idx", "window_end_idx"),
        ],
    },
    "daq2lh5.buffer_processor.lh5_buffer_processor": {
        "lh5_buffer_processor": [
            *("lh5_raw_file_in", "overwrite", "out_spec", "proc_file_name"),
            "db_dict",
        ],
    },
    "daq2lh5.compass.compass_config_parser": {
        "compass_config_to_struct": ["compass_config_file", "wf_len"],
    },
    "daq2lh5.compass.compass_event_decoder": {
        "CompassEventDecoder": {
            "__init__": ["self", "header", "args", "kwargs"],
            "decode_packet": ["self", "packet", "evt_rbkd", "packet_id", "header"],
            "get_decoded_values": ["self", "key"],
            "get_key_lists": ["self"],
            # settings are ours: they say more than the header
            "set_header": ["self", "header", "settings"],
        },
        "get_bc": ["board", "channel"],
    },
    "daq2lh5.compass.compass_header_decoder": {
        "CompassHeaderDecoder": {
            "__init__": ["self", "args", "kwargs"],
            "decode_header": ["self", "in_stream", "config_file"],
            "make_lgdo": ["self", "key", "size"],
        },
    },
    "daq2lh5.compass.compass_streamer": {
        "CompassStreamer": {
            # the layout is ours
            "__init__": [
                *("self", "compass_config_file", "compass_layout"),
                "compass_sampling_period",
            ],
            "close_stream": ["self"],
            "get_decoder_list": ["self"],
            "load_packet": ["self"],
            "open_stream": [
                *("self", "stream_name", "rb_lib", "buffer_size", "chunk_mode"),
                "out_stream",
            ],
            "read_packet": ["self"],
            "set_in_stream": ["self", "stream_name"],
        },
    },
    "daq2lh5.data_decoder": {
        "DataDecoder": {
            "__init__": ["self", "garbage_length", "packet_size_guess"],
            "get_decoded_values": ["self", "key"],
            "get_key_lists": ["self"],
            "get_max_rows_in_packet": ["self"],
            "make_lgdo": ["self", "key", "size"],
            "put_in_garbage": ["self", "packet", "packet_id", "code"],
            "write_out_garbage": ["self", "filename", "group", "lh5_store"],
        },
    },
    "daq2lh5.data_streamer": {
        "DataStreamer": {
            "__init__": ["self"],
            "build_default_rb_lib": ["self", "out_stream"],
            "close_stream": ["self"],
            "get_decoder_list": ["self"],
            "open_stream": [
                *("self", "stream_name", "rb_lib", "buffer_size", "chunk_mode"),
                "out_stream",
            ],
            "read_chunk": [
                *("self", "chunk_mode_override", "rp_max", "clear_full_buffers"),
            ],
            "read_packet": ["self"],
        },
    },
    "daq2lh5.fc.fc_config_decoder": {
        "FCConfigDecoder": {
            "__init__": ["self", "args", "kwargs"],
            "decode_config": ["self", "fcio"],
            # bytes in place of an object of the peer's own input library
            "decode_packet": ["self", "packet", "config_rb", "packet_id"],
            "get_decoded_values": ["self", "key"],
            "get_key_lists": ["self"],
        },
    },
    "daq2lh5.fc.fc_event_decoder": {
        "FCEventDecoder": {
            "__init__": ["self", "args", "kwargs"],
            "decode_packet": ["self", "packet", "evt_rbkd", "packet_id"],
            "get_decoded_values": ["self", "key"],
            "get_key_lists": ["self"],
            "get_max_rows_in_packet": ["self"],
            "set_fcio_stream": ["self", "fcio_stream"],
        },
        # imported there, and taken from there by users
        "get_key": ["streamid", "card_address", "card_input", "iwf"],
    },
    "daq2lh5.fc.fc_eventheader_decoder": {
        "FCEventHeaderDecoder": {
            "__init__": ["self", "args", "kwargs"],
            "decode_packet": ["self", "packet", "evt_hdr_rbkd", "packet_id"],
            "get_decoded_values": ["self", "key"],
            "get_key_lists": ["self"],
            "get_max_rows_in_packet": ["self"],
            "set_fcio_stream": ["self", "fcio_stream"],
        },
        "get_card_address": ["key"],
        "get_card_input": ["key"],
        "get_fcid": ["key"],
        "get_key": ["streamid", "card_address", "card_input", "iwf"],
    },
    "daq2lh5.fc.fc_fsp_decoder": {
        "FSPConfigDecoder": {
            "__init__": ["self", "args", "kwargs"],
            "decode_config": ["self", "fcio"],
            "decode_packet": ["self", "packet", "fsp_config_rb", "packet_id"],
            "get_decoded_values": ["self", "key"],
            "get_key_lists": ["self"],
            "make_lgdo": ["self", "key", "size"],
            "set_fcio_stream": ["self", "fcio_stream"],
        },
        "FSPEventDecoder": {
            "__init__": ["self", "args", "kwargs"],
            "decode_packet": [
                *("self", "packet", "fsp_evt_rbkd", "packet_id", "is_header"),
            ],
            "get_decoded_values": ["self", "key"],
            "get_key_lists": ["self"],
            "set_fcio_stream": ["self", "fcio_stream"],
        },
        "FSPStatusDecoder": {
            "__init__": ["self", "args", "kwargs"],
            "decode_packet": ["self", "packet", "fsp_status_rbkd", "packet_id"],
            "get_decoded_values": ["self", "key"],
            "get_key_lists": ["self"],
            "set_fcio_stream": ["self", "fcio_stream"],
        },
    },
    "daq2lh5.fc.fc_status_decoder": {
        "FCStatusDecoder": {
            "__init__": ["self", "args", "kwargs"],
            "decode_packet": ["self", "packet", "status_rbkd", "packet_id"],
            "get_decoded_values": ["self", "key"],
            "get_key_lists": ["self"],
            "get_max_rows_in_packet": ["self"],
            "set_fcio_stream": ["self", "fcio_stream"],
        },
        "get_fcid": ["key"],
        "get_key": ["streamid", "reqid"],
        "get_reqid": ["key"],
    },
    "daq2lh5.fc.fc_streamer": {
        "FCStreamer": {
            "__init__": ["self"],
            "close_stream": ["self"],
            "get_decoder_list": ["self"],
            "open_stream": [
                *("self", "fcio_peer", "rb_lib", "buffer_size", "chunk_mode"),
                "out_stream",
            ],
            "read_packet": ["self"],
        },
    },
    "daq2lh5.llama.llama_base": {"join_fadcid_chid": ["fadcid", "chid"]},
    "daq2lh5.llama.llama_event_decoder": {
        "LLAMAEventDecoder": {
            "__init__": ["self", "args", "kwargs"],
            "decode_packet": [
                *("self", "packet", "evt_rbkd", "packet_id", "fadc_channel_id"),
            ],
            "get_decoded_values": ["self", "key"],
            "get_key_lists": ["self"],
            "set_channel_configs": ["self", "channel_configs"],
            "set_global_configs": ["self", "global_configs"],
        },
        "check_dict_spec_equal": ["d1", "d2", "specs"],
    },
    "daq2lh5.llama.llama_header_decoder": {
        "LLAMAHeaderDecoder": {
            "__init__": ["self", "args", "kwargs"],
            "decode_header": ["self", "f_in", "f_in_name"],
            "get_channel_configs": ["self"],
            "get_global_configs": ["self"],
            "magic_bytes": [],
            "make_lgdo": ["self", "key", "size"],
        },
        "parse_filename_for_timestamp": ["f_in_name"],
    },
    "daq2lh5.llama.llama_streamer": {
        "LLAMAStreamer": {
            "__init__": ["self", "llama_time_zone"],
            "close_stream": ["self"],
            "get_decoder_list": ["self"],
            "open_stream": [
                *("self", "llama_filename", "rb_lib", "buffer_size", "chunk_mode"),
                "out_stream",
            ],
            "read_packet": ["self"],
        },
    },
    "daq2lh5.logging": {"setup": ["level", "logger"]},
    "daq2lh5.raw_buffer": {
        "RawBuffer": {
            "__init__": [
                *("self", "lgdo", "key_list", "out_stream", "out_name", "proc_spec"),
            ],
            "is_full": ["self"],
        },
        "RawBufferLibrary": {
            "__init__": ["self", "config", "kw_dict"],
            "clear_full": ["self"],
            "get_list_of": ["self", "attribute", "unique"],
            "set_from_dict": ["self", "config", "kw_dict"],
        },
        "RawBufferList": {
            "__init__": ["self"],
            "clear_full": ["self"],
            "get_keyed_dict": ["self"],
            "get_list_of": ["self", "attribute"],
            "set_from_dict": ["self", "config", "kw_dict"],
        },
        "expand_rblist_dict": ["config", "kw_dict"],
        "write_to_lh5_and_clear": ["raw_buffers", "lh5_store", "db_dict", "kwargs"],
    },
    "daq2lh5.utils": {"load_dict": ["fname", "ftype"]},
}
"""For each module its functions and classes, with the names of parameters in order."""

DEFAULTS = {
    ("daq2lh5.build_raw", "build_raw"): {
        "in_stream_type": None,
        "out_spec": None,
        "buffer_size": 8192,
        "n_max": float("inf"),
        "overwrite": False,
        "compass_config_file": None,
        "hdf5_settings": None,
        "db_dict": None,
    },
    ("daq2lh5.build_raw", "get_streamer"): {
        "in_stream_type": None,
        "compass_config_file": None,
    },
    ("daq2lh5.build_raw", "sizeof_fmt"): {"suffix": "B"},
    ("daq2lh5.data_streamer", "DataStreamer.open_stream"): {
        "rb_lib": None,
        "buffer_size": 8192,
        "chunk_mode": "any_full",
        "out_stream": "",
    },
    ("daq2lh5.data_streamer", "DataStreamer.read_chunk"): {
        "chunk_mode_override": None,
        "rp_max": 1000000,
        "clear_full_buffers": True,
    },
    ("daq2lh5.fc.fc_streamer", "FCStreamer.open_stream"): {
        "rb_lib": None,
        "buffer_size": 8192,
        "chunk_mode": "any_full",
        "out_stream": "",
    },
    ("daq2lh5.fc.fc_eventheader_decoder", "get_key"): {"iwf": -1},
    ("daq2lh5.logging", "setup"): {"level": 20, "logger": None},
    ("daq2lh5.raw_buffer", "RawBuffer.__init__"): {
        "lgdo": None,
        "key_list": None,
        "out_stream": "",
        "out_name": "",
        "proc_spec": None,
    },
    ("daq2lh5.raw_buffer", "RawBufferLibrary.get_list_of"): {"unique": True},
}

COLUMNS = {
    ("fc_config_decoder", "fc_config_decoded_values"): (
        "packet_id nsamples nadcs ntriggers streamid adcbits sumlength blprecision "
        "mastercards triggercards adccards gps tracemap"
    ),
    ("fc_event_decoder", "fc_event_decoded_values"): (
        "packet_id fcid board_id fc_input eventnumber event_type timestamp runtime "
        "lifetime deadtime deadinterval_nsec numtraces baseline daqenergy ts_pps "
        "ts_ticks ts_maxticks mu_offset_sec mu_offset_usec to_master_sec "
        "delta_mu_usec abs_delta_mu_usec to_start_sec to_start_usec dr_start_pps "
        "dr_start_ticks dr_stop_pps dr_stop_ticks dr_maxticks dr_ch_idx dr_ch_len "
        "channel waveform"
    ),
    ("fc_eventheader_decoder", "fc_eventheader_decoded_values"): (
        "packet_id fcid board_id fc_input eventnumber event_type timestamp runtime "
        "lifetime deadtime deadinterval_nsec numtraces tracelist baseline daqenergy "
        "ts_pps ts_ticks ts_maxticks mu_offset_sec mu_offset_usec to_master_sec "
        "delta_mu_usec abs_delta_mu_usec to_start_sec to_start_usec dr_start_pps "
        "dr_start_ticks dr_stop_pps dr_stop_ticks dr_maxticks dr_ch_idx dr_ch_len"
    ),
    ("fc_fsp_decoder", "fsp_config_decoded_values"): (
        "packet_id buffer_max_states buffer_window_nsec trg_hwm_min_multiplicity "
        "trg_hwm_prescale_ratio trg_wps_prescale_ratio "
        "trg_wps_coincident_sum_threshold trg_wps_sum_threshold "
        "trg_wps_prescale_rate trg_hwm_prescale_rate trg_wps_ref_flags_hwm "
        "trg_wps_ref_flags_ct trg_wps_ref_flags_wps trg_wps_ref_map_idx "
        "trg_enabled_write_flags_trigger trg_enabled_write_flags_event "
        "trg_pre_trigger_window_nsec trg_post_trigger_window_nsec "
        "dsp_wps_tracemap_format dsp_wps_tracemap_indices dsp_wps_tracemap_enabled "
        "dsp_wps_tracemap_label dsp_wps_gains dsp_wps_thresholds dsp_wps_lowpass "
        "dsp_wps_shaping_widths dsp_wps_margin_front dsp_wps_margin_back "
        "dsp_wps_start_sample dsp_wps_stop_sample dsp_wps_dsp_max_margin_front "
        "dsp_wps_dsp_max_margin_back dsp_wps_apply_gain_scaling "
        "dsp_wps_sum_window_size dsp_wps_sum_window_start_sample "
        "dsp_wps_sum_window_stop_sample dsp_wps_sub_event_sum_threshold "
        "dsp_hwm_tracemap_format dsp_hwm_tracemap_indices dsp_hwm_tracemap_enabled "
        "dsp_hwm_tracemap_label dsp_hwm_fpga_energy_threshold_adc "
        "dsp_ct_tracemap_format dsp_ct_tracemap_indices dsp_ct_tracemap_enabled "
        "dsp_ct_tracemap_label dsp_ct_thresholds"
    ),
    ("fc_fsp_decoder", "fsp_event_decoded_values"): (
        "packet_id is_written is_extended is_consecutive is_hwm_prescaled "
        "is_hwm_multiplicity is_wps_sum is_wps_coincident_sum is_wps_prescaled "
        "is_ct_multiplicity obs_wps_sum_value obs_wps_sum_offset "
        "obs_wps_sum_multiplicity obs_wps_max_peak_value obs_wps_max_peak_offset "
        "obs_hwm_hw_multiplicity obs_hwm_sw_multiplicity obs_hwm_max_value "
        "obs_hwm_min_value obs_ct_multiplicity obs_ct_trace_idx obs_ct_max "
        "obs_ps_hwm_prescaled_trace_idx obs_evt_nconsecutive"
    ),
    ("fc_fsp_decoder", "fsp_status_decoded_values"): (
        "packet_id start_time log_time dt_logtime runtime n_read_events "
        "n_written_events n_discarded_events dt_n_read_events dt_n_written_events "
        "dt_n_discarded_events dt dt_rate_read_events dt_rate_write_events "
        "dt_rate_discard_events avg_rate_read_events avg_rate_write_events "
        "avg_rate_discard_events"
    ),
    ("fc_status_decoder", "fc_status_decoded_values"): (
        "packet_id status fpga_time server_time fpga_start_time id eventnumber "
        "fpga_time_nsec n_total_errors n_environment_errors n_cti_errors "
        "n_link_errors n_other_errors mb_temps mb_voltages mb_current mb_humidity "
        "adc_temps cti_links link_states"
    ),
}
"""The columns of each table, in order, by module and name of the dictionary."""

ATTRIBUTES = {
    "daq2lh5.compass.compass_event_decoder.CompassEventDecoder": (
        "decoded_values skipped_channels"
    ),
    "daq2lh5.compass.compass_header_decoder.CompassHeaderDecoder": "config",
    "daq2lh5.compass.compass_streamer.CompassStreamer": (
        "buffer compass_config_file decoder_id_dict decoder_name_dict event_rbkd "
        "header header_decoder in_stream"
    ),
    "daq2lh5.data_decoder.DataDecoder": "garbage_table",
    "daq2lh5.fc.fc_config_decoder.FCConfigDecoder": "decoded_values key_list",
    "daq2lh5.fc.fc_event_decoder.FCEventDecoder": (
        "decoded_values key_list max_rows_in_packet skipped_channels"
    ),
    "daq2lh5.fc.fc_eventheader_decoder.FCEventHeaderDecoder": (
        "decoded_values key_list max_rows_in_packet"
    ),
    "daq2lh5.fc.fc_fsp_decoder.FSPConfigDecoder": "decoded_values fsp_config key_list",
    "daq2lh5.fc.fc_fsp_decoder.FSPEventDecoder": "decoded_values key_list",
    "daq2lh5.fc.fc_fsp_decoder.FSPStatusDecoder": "decoded_values key_list",
    "daq2lh5.fc.fc_status_decoder.FCStatusDecoder": (
        "decoded_values key_list max_rows_in_packet"
    ),
    "daq2lh5.fc.fc_streamer.FCStreamer": (
        "any_full chunk_mode n_bytes_read packet_id rb_lib "
        "config_decoder event_decoder event_rbkd eventheader_decoder "
        "eventheader_rbkd fcio fcio_bytes_read fcio_bytes_skipped "
        "fsp_config_decoder fsp_config_rbkd fsp_event_decoder fsp_event_rbkd "
        "fsp_status_decoder fsp_status_rbkd status_decoder status_rbkd"
    ),
    "daq2lh5.raw_buffer.RawBuffer": (
        "fill_safety key_list lgdo loc out_name out_stream proc_spec"
    ),
    "daq2lh5.raw_buffer.RawBufferList": "keyed_dict",
}

FUNCTIONS = [
    (module, name, parameters)
    for module, members in API.items()
    for name, parameters in members.items()
    if isinstance(parameters, list)
]
METHODS = [
    (module, name, method, parameters)
    for module, members in API.items()
    for name, methods in members.items()
    if isinstance(methods, dict)
    for method, parameters in methods.items()
]


def parameters_of(function: object) -> list[str]:
    """Names of the parameters; what we added can be given by keyword only."""
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]


@pytest.mark.parametrize(("module", "name", "parameters"), FUNCTIONS)
def test_functions_have_the_peers_parameters(module, name, parameters):
    function = getattr(importlib.import_module(module), name)
    assert parameters_of(function) == parameters


@pytest.mark.parametrize(("module", "cls", "method", "parameters"), METHODS)
def test_methods_have_the_peers_parameters(module, cls, method, parameters):
    function = getattr(getattr(importlib.import_module(module), cls), method)
    assert parameters_of(function) == parameters


@pytest.mark.parametrize(("place", "defaults"), DEFAULTS.items())
def test_defaults_are_the_peers(place, defaults):
    module, path = place
    function = importlib.import_module(module)
    for name in path.split("."):
        function = getattr(function, name)
    signature = inspect.signature(function)
    found = {
        name: p.default
        for name, p in signature.parameters.items()
        if p.default is not p.empty and p.kind is not p.KEYWORD_ONLY
    }
    assert found == defaults


@pytest.mark.parametrize(("place", "columns"), COLUMNS.items())
def test_tables_have_the_peers_columns_in_order(place, columns):
    module, name = place
    values = getattr(importlib.import_module(f"daq2lh5.fc.{module}"), name)
    assert list(values) == columns.split()
    for column in values.values():
        assert column["dtype"]


@pytest.mark.parametrize(("path", "attributes"), ATTRIBUTES.items())
def test_objects_have_the_peers_attributes(path, attributes):
    module, _, name = path.rpartition(".")
    instance = getattr(importlib.import_module(module), name)()
    missing = [a for a in attributes.split() if not hasattr(instance, a)]
    assert missing == []


def test_package_exports():
    for name in ("build_raw", "get_streamer", "open_stream", "__version__"):
        assert name in daq2lh5.__all__
        assert hasattr(daq2lh5, name)
    assert isinstance(daq2lh5.__version__, str)


def test_names_that_users_take_from_other_modules():
    """As ``from daq2lh5.fc.fc_event_decoder import fc_eventheader_decoded_values``."""
    from daq2lh5.fc import fc_event_decoder, fc_eventheader_decoder

    for name in ("get_key", "fc_eventheader_decoded_values"):
        ours = getattr(fc_event_decoder, name)
        assert ours is getattr(fc_eventheader_decoder, name)


def test_logging_levels():
    import logging

    from daq2lh5 import logging as ours

    for name in ("CRITICAL", "DEBUG", "ERROR", "FATAL", "INFO", "WARNING"):
        assert getattr(ours, name) == getattr(logging, name)


def test_command_line_function():
    from daq2lh5.cli import daq2lh5_cli

    assert callable(daq2lh5_cli)


def test_abstract_streamer_cannot_be_made():
    from daq2lh5.data_streamer import DataStreamer

    assert inspect.isabstract(DataStreamer)
    with pytest.raises(TypeError, match="abstract"):
        DataStreamer()


def test_classes_derive_from_the_peers_bases():
    """Users test with `isinstance` and derive decoders of their own."""
    from daq2lh5.data_decoder import DataDecoder
    from daq2lh5.data_streamer import DataStreamer
    from daq2lh5.fc.fc_streamer import FCStreamer

    streamer = FCStreamer()
    assert isinstance(streamer, DataStreamer)
    for decoder in streamer.get_decoder_list():
        assert isinstance(decoder, DataDecoder)


def test_keys_go_there_and_back():
    from daq2lh5.fc import fc_eventheader_decoder as header
    from daq2lh5.fc import fc_status_decoder as status

    for card, channel in ((0, 0), (0x110, 5), (0x1A30, 23)):
        key = header.get_key(2, card, channel)
        assert header.get_fcid(key) == 2
        assert header.get_card_address(key) == card
        assert header.get_card_input(key) == channel
    # without a stream id the number of the trace is the key
    assert header.get_key(0, 0, 0, 7) == 7
    assert status.get_key(0x10003, 0x12000) == "fcid_3/status/card8192"
    # these two read the numbers that keys were in earlier versions of the peer
    assert status.get_fcid(30008192) == 3
    assert status.get_reqid(30008192) == 8192


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.json", '{"x": [1, 2]}'), ("a.yaml", "x: [1, 2]"), ("a.yml", "x:\n- 1\n- 2")],
)
@pytest.mark.parametrize("kind", [str, Path])
def test_dictionaries_are_loaded_by_extension(tmp_path, name, text, kind):
    from daq2lh5.utils import load_dict

    (tmp_path / name).write_text(text)
    assert load_dict(kind(tmp_path / name)) == {"x": [1, 2]}
    (tmp_path / "other").write_text(text)
    ftype = "json" if name.endswith("json") else "yaml"
    assert load_dict(str(tmp_path / "other"), ftype) == {"x": [1, 2]}


def test_dictionaries_of_other_types_are_refused(tmp_path):
    from daq2lh5.utils import load_dict

    (tmp_path / "a.toml").write_text("")
    with pytest.raises(NotImplementedError, match=r"a\.toml"):
        load_dict(str(tmp_path / "a.toml"))


class TestLogging:
    @pytest.fixture
    def logger(self):
        """The package's logger, not set up."""
        import logging

        logger = logging.getLogger("daq2lh5")
        logger.handlers[:] = []
        return logger

    def test_messages_go_to_standard_error(self, logger, capsys):
        from daq2lh5 import logging as ours

        ours.setup()
        logger.getChild("x").info("hello")
        logger.debug("not shown")
        out, err = capsys.readouterr()
        assert out == ""
        assert "hello" in err
        assert "INFO" in err
        assert "not shown" not in err

    def test_second_setup_changes_the_level_only(self, logger, capsys):
        from daq2lh5 import logging as ours

        ours.setup()
        ours.setup(ours.DEBUG)
        logger.debug("hello")
        assert capsys.readouterr().err.count("hello") == 1

    def test_logger_of_the_user(self, capsys):
        import logging

        from daq2lh5 import logging as ours

        mine = logging.getLogger("a_script_of_mine")
        ours.setup(ours.WARNING, mine)
        mine.info("quiet")
        mine.warning("loud")
        assert "loud" in capsys.readouterr().err
        mine.handlers[:] = []
