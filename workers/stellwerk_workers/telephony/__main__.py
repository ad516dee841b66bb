"""`python -m stellwerk_workers.telephony`."""

from stellwerk_workers.telephony.process import main

if __name__ == "__main__":
    main()
