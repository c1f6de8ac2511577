"""For plugin authors: contract classes to subclass, fixtures, makers of whole and broken media.

A contract is a test class that says what the core relies on. Subclass it, supply its fixtures, and pytest tells you
when you break it::

    from cosmos_core.testing.backend import BackendContract


    class TestEcho(BackendContract):
        @pytest.fixture
        def backend(self):
            return next(iter(cosmos_core_echo.cosmos_backends()))
"""
