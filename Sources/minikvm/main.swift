internal import Commands

MiniKVM.main()
