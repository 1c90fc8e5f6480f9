"""Random sound training programs, small and fast, none of them from the tests."""
